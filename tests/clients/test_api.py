"""Versions, and what follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.clients.api import Places, at, habits_of, settings_of, version_of
from keepwarm.clients.claude import CLAUDE
from keepwarm.clients.registry import CLIENTS, find, known_habits
from keepwarm.errors import ConfigError
from keepwarm.rules.codes import CODES


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("2.1.328 (Claude Code)\n", (2, 1, 328)),
        ("pi v0.73.1", (0, 73, 1)),
        ("1.18", (1, 18)),
        ("", ()),
        ("nothing", ()),
    ],
)
def test_the_version_in_what_is_printed(printed: str, version: tuple[int, ...]) -> None:
    assert version_of(printed) == version


@pytest.mark.parametrize(
    ("version", "words"),
    [("2.1.39", "constant"), ("2.1.114", "new in each request"), ("2.1.328", "new in each session")],
)
def test_the_header_of_a_version(version: str, words: str) -> None:
    titles = [habit.title for habit in known_habits("claude", version) if "VOL001" in habit.rules]
    assert len(titles) == 1
    assert words in titles[0]


def test_an_unknown_version_may_have_every_habit_and_understands_what_all_do() -> None:
    assert habits_of(CLAUDE, ()) == CLAUDE.habits
    assert "CLAUDE_CODE_GATEWAY_HINT_HEADERS" not in [one.name for one in settings_of(CLAUDE, ())]
    assert "CLAUDE_CODE_GATEWAY_HINT_HEADERS" not in [one.name for one in settings_of(CLAUDE, (2, 1, 272))]
    assert "CLAUDE_CODE_GATEWAY_HINT_HEADERS" in [one.name for one in settings_of(CLAUDE, (2, 1, 273))]


def test_the_table_is_whole() -> None:
    for name, client in CLIENTS.items():
        assert client.name == name
        assert client.install.endswith(("claude-code", "opencode-ai", "qwen-code", "pi-coding-agent", "cline"))
        assert {code for habit in client.habits for code in habit.rules} <= CODES.keys()
        assert client.files(Places(Path("/h"), Path("/p"), {}))


def test_an_agent_that_nobody_knows_is_a_message() -> None:
    assert find("Claude") is CLAUDE
    with pytest.raises(ConfigError, match="use one of claude, opencode, qwen, pi, cline"):
        find("emacs")


def test_places(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, {"CLAUDE_CONFIG_DIR": "/elsewhere"})
    assert CLAUDE.files(places)[0].path == Path("/elsewhere/settings.json")
    assert places.under("NONE", ".x") == tmp_path / ".x"


def test_a_path_of_keys() -> None:
    assert at({"a": {"b": 1}}, "a", "b") == 1
    assert at({"a": 1}, "a", "b") is None
    assert at(None, "a") is None
