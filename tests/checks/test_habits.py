"""What a version of an agent is known for, judged."""

from __future__ import annotations

from keepwarm.checks.habits import Known, judge_habits

EACH_TURN = Known("a line that is new in each request", ("VOL001",), "each turn")
EACH_SESSION = Known("a line that is new in each session", ("VOL001",), "each new session")
REWRITTEN = Known("arguments are rewritten", ("HIS003",))


def test_a_line_that_is_new_each_turn_is_bad_and_one_a_session_a_warning() -> None:
    for habit, code, severity in (
        (EACH_TURN, "header-each-request", "bad"),
        (EACH_SESSION, "header-each-session", "warn"),
    ):
        (header,) = judge_habits("claude", [habit])
        assert (header.code, header.severity, header.command) == (code, severity, "keepwarm fix claude")
        assert header.tokens
        assert header.strikes == habit.strikes


def test_of_a_version_that_is_not_known_the_worst_is_told() -> None:
    assert [one.code for one in judge_habits("claude", [EACH_SESSION, EACH_TURN])] == ["header-each-request"]


def test_the_rest_is_one_finding() -> None:
    header, rest = judge_habits("claude", [EACH_TURN, REWRITTEN, Known("and that")])
    assert header.code == "header-each-request"
    assert (rest.code, rest.severity, rest.command) == ("habits-claude", "info", "keepwarm run claude")
    assert "arguments are rewritten (HIS003); and that" in rest.title


def test_a_stranger_has_none() -> None:
    assert judge_habits("vim", []) == ()
