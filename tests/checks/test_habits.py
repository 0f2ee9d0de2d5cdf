"""What a version of an agent is known for."""

from __future__ import annotations

import pytest

from keepwarm.checks.habits import known_habits, numbers


@pytest.mark.parametrize(
    ("said", "version"),
    [("2.1.114 (Claude Code)", (2, 1, 114)), ("v0.24.4", (0, 24, 4)), ("opencode 1.18", (1, 18)), ("nightly", ())],
)
def test_the_numbers_of_a_version(said: str, version: tuple[int, ...]) -> None:
    assert numbers(said) == version


@pytest.mark.parametrize(
    ("version", "code", "severity"),
    [
        ("2.1.39 (Claude Code)", "header-each-session", "warn"),
        ("2.1.112 (Claude Code)", "header-each-session", "warn"),
        ("2.1.114 (Claude Code)", "header-each-request", "bad"),
        ("2.1.179 (Claude Code)", "header-each-request", "bad"),
        ("2.1.181 (Claude Code)", "header-each-session", "warn"),
        ("2.1.328 (Claude Code)", "header-each-session", "warn"),
        ("", "header-each-session", "warn"),
    ],
)
def test_claude_codes_header_by_version(version: str, code: str, severity: str) -> None:
    header = known_habits("claude", version)[0]
    assert (header.code, header.severity, header.command) == (code, severity, "keepwarm fix claude")
    assert header.tokens


def test_other_agents_have_their_own_and_strangers_none() -> None:
    for name in ("opencode", "qwen", "pi", "cline"):
        (habit,) = known_habits(name, "1.0")
        assert habit.command == f"keepwarm run {name}"
    assert known_habits("vim", "9.1") == ()
