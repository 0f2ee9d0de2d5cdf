"""Dates in the head: frozen, and told when they move on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Head, SystemBlock, Tool
from keepwarm.rules.vol003 import freeze

DAYS = st.sampled_from(("2026-11-24", "2026-11-25", "2026-12-01"))
WORDS = st.sampled_from(("Be brief.", "Be long."))


def head(day: str, words: str) -> Head:
    text = f"You are an agent.\nToday's date is {day}.\n{words}"
    return Head((SystemBlock(text, 0), SystemBlock(words, 1)), (Tool("Search", f"It is {day}.\n{words}", b"{}", 0),))


@given(DAYS, DAYS, WORDS, WORDS)
def test_only_the_clock_is_frozen(before: str, day: str, words: str, others: str) -> None:
    seen = head(before, words)
    fix = freeze(head(day, others), seen)
    if words != others:
        assert fix.head == head(day, others)
        assert not fix.notices
    else:
        assert fix.head == seen
        assert bool(fix.notices) == bool(fix.edits) == (day != before)
        assert all(day in notice.text and before in notice.known for notice in fix.notices)
    assert freeze(fix.head, seen).head == fix.head
    assert freeze(fix.head, seen).edits == ()


@given(DAYS)
def test_a_first_request_is_left_alone(day: str) -> None:
    assert freeze(head(day, "Be brief."), None).head == head(day, "Be brief.")


def test_each_value_is_told_by_itself() -> None:
    seen = head("2026-11-24", "Be brief.")
    topics = [(notice.topic, notice.text) for notice in freeze(head("2026-11-25", "Be brief."), seen).notices]
    assert topics == [
        ("clock /system/0/text", "This has changed: Today's date is 2026-11-25."),
        ("clock /tools/0", "This has changed of the tool Search: It is 2026-11-25."),
    ]
