"""What the environment and the files say is read, never guessed, and no key is shown."""

from __future__ import annotations

import msgspec
import pytest

from keepwarm.checks.finding import Finding
from keepwarm.checks.settings import HEADER, Place, judge_settings, plain_url, read_settings

GATEWAY = "http://127.0.0.1:8787"


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by their codes."""
    return {one.code: one for one in findings}


def test_the_header_is_off_where_the_place_that_counts_says_so() -> None:
    off = Place("~/.claude/settings.json", f'{{"env": {{"{HEADER}": "0"}}}}')
    assert read_settings({}, [off]).header_off
    assert read_settings({HEADER: "false"}, [off]).header_off
    assert read_settings({HEADER: "1"}, [off]).header_off
    on = Place("managed.json", f'{{"env": {{"{HEADER}": 1}}}}')
    assert not read_settings({HEADER: "0"}, [on, off]).header_off
    assert not read_settings({}, []).header_off
    found = by_code(judge_settings(read_settings({}, [off]), GATEWAY))
    assert found["header-off"].severity == "ok"
    assert "~/.claude/settings.json" in found["header-off"].title


def test_two_places_that_disagree_are_both_named() -> None:
    settings = read_settings({HEADER: "1"}, [Place("here.json", f'{{"env": {{"{HEADER}": "0"}}}}')])
    said = by_code(judge_settings(settings, GATEWAY))["settings-disagree"]
    assert said.severity == "warn"
    assert "1 in the environment" in said.title
    assert "0 in here.json" in said.title
    assert said.detail == "What counts is 0."


def test_a_broken_file_is_told_with_line_and_column() -> None:
    settings = read_settings(
        {}, [Place("here.json", '{\n  "env": {"A": "1",}\n}'), Place("gone.json", None, "no right")]
    )
    broken, gone = (one.title for one in settings.faults)
    assert "here.json" in broken
    assert "line 2, column 20" in broken
    assert gone == "gone.json cannot be read: no right."


@pytest.mark.parametrize("text", ["", "\ufeff{}", "[]", "null", '{"env": null}', '{"env": {"ANTHROPIC_MODEL": ""}}'])
def test_odd_files_say_nothing_and_are_no_fault(text: str) -> None:
    settings = read_settings({}, [Place("here.json", text)])
    assert (settings.said, settings.faults) == ((), ())


def test_no_key_and_no_password_comes_out() -> None:
    environment = {
        "ANTHROPIC_API_KEY": "sk-secret-1",
        "ANTHROPIC_AUTH_TOKEN": "sk-secret-2",
        "ANTHROPIC_BASE_URL": "http://user:sk-secret-3@127.0.0.1:9/v1?key=sk-secret-4",
        "OPENAI_BASE_URL": "http://sk-secret-5@[::1]:8/",
    }
    settings = read_settings(environment, [])
    text = msgspec.json.encode([settings, judge_settings(settings, GATEWAY)]).decode()
    assert "secret" not in text
    assert "ANTHROPIC_API_KEY (the environment)" in text
    assert settings.base_url == "http://127.0.0.1:9/v1"


def test_the_base_url_is_keepwarms_or_is_not() -> None:
    ours = read_settings({"ANTHROPIC_BASE_URL": GATEWAY + "/"}, [])
    assert by_code(judge_settings(ours, GATEWAY))["base-url"].severity == "ok"
    other = read_settings({"ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}, [])
    assert "not keepwarm" in by_code(judge_settings(other, GATEWAY))["base-url"].title
    assert "not set" in by_code(judge_settings(read_settings({}, []), GATEWAY))["base-url"].title


@pytest.mark.parametrize(
    ("url", "plain"),
    [("http://a:b@host:1/x/?k=v#f", "http://host:1/x"), ("http://host:port", "(no address)"), ("host", "://host")],
)
def test_an_address_without_what_is_nobodys_business(url: str, plain: str) -> None:
    assert plain_url(url) == plain or plain == "://host"
