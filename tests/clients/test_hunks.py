"""The diff that a person is shown: right, short, and without secrets."""

from __future__ import annotations

import difflib
import json

import pytest

from keepwarm.clients.hunks import WIDEST, hidden, unified
from keepwarm.codec.jsonc import parse
from keepwarm.codec.jsonc_edit import changes, edited

WANTED = {"env": {"H": "0"}, "last": True}


def diff(text: str) -> list[str]:
    return list(unified("f", text, changes(text, parse(text), WANTED)))


def test_it_is_the_diff_that_difflib_makes() -> None:
    lines = [f'  "k{n}": {n},\n' for n in range(40)]
    text = '{\n  "env": {\n    "A": "b"\n  },\n' + "".join(lines) + '  "z": 1\n}\n'
    after = edited(text, changes(text, parse(text), WANTED))
    wanted = list(difflib.unified_diff(text.split("\n")[:-1], after.split("\n")[:-1], "f", "f", lineterm=""))
    assert [line for line in diff(text) if not line.startswith("@@")] == [
        line for line in wanted if not line.startswith("@@")
    ]
    assert [line for line in diff(text) if line.startswith("@@")] == [line for line in wanted if line.startswith("@@")]


def test_a_new_file() -> None:
    said = unified("f", "", changes("", None, {"a": 1}), new=True)
    assert said == ("--- /dev/null", "+++ f", "@@ -0,0 +1,3 @@", "+{", '+  "a": 1', "+}")


def test_no_change_is_no_diff() -> None:
    assert unified("f", "{}", ()) == ()


def test_a_long_line_shows_where_it_changes() -> None:
    said = diff(json.dumps({"x": "y" * 5000, "z": "w"}))
    assert max(len(line) for line in said) <= WIDEST
    assert any('"env": {"H": "0"}' in line for line in said)


def test_a_huge_file_costs_its_changes_only() -> None:
    text = json.dumps({"env": {}, "many": [{"n": n} for n in range(100_000)]}, indent=1)
    said = diff(text)
    assert len(said) < 30
    assert '+  "H": "0"' in said


SECRETS = [
    '"ANTHROPIC_API_KEY": "hunter2"',
    '"apiKeyHelper": "/bin/hunter2"',
    '"auth_token" : "hunter2"',
    '"ANTHROPIC_CUSTOM_HEADERS": "X: hunter2"',
    '"password": "hun\\"ter2"',
    '"x": "sk-ant-hunter2hunter2"',
    '"x": "Bearer hunter2"',
    '"x": "http://me:hunter2@host/"',
    '["hunter2hunter2hunter2hunter2"]',
]


@pytest.mark.parametrize("line", SECRETS)
def test_secrets_are_hidden(line: str) -> None:
    assert "ter2" not in hidden(line)
    assert "hidden" in hidden(line)


@pytest.mark.parametrize(
    "line",
    [
        '"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"',
        '"ANTHROPIC_BASE_URL": "http://127.0.0.1:8787"',
        '"apiKey": "keepwarm"',
        '"model": "claude-sonnet-4-6"',
        '"allow": ["Bash(npm run test:*)", "Read(~/.config/some/long/path/2026.json)"]',
    ],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert hidden(line) == line


@pytest.mark.parametrize("indent", [None, 2])
def test_secrets_beside_a_change_are_hidden(indent: int | None) -> None:
    text = json.dumps({"env": {"ANTHROPIC_API_KEY": "hunter2", "GH": "ghp_hunter2hunter2", "A": "b"}}, indent=indent)
    said = "\n".join(diff(text))
    assert "unter2" not in said
    assert '"H": "0"' in said
