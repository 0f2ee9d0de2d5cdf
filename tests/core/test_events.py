"""Usage: what was not reported is not zero."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from keepwarm.core.answer import AnswerCollector
from keepwarm.core.events import (
    Event,
    Finished,
    Progress,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
    together,
)

COUNTS = st.none() | st.integers(0, 9)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


@given(USAGES, USAGES, USAGES)
def test_what_is_known_later_stands_over_what_was_known_before(old: Usage, middle: Usage, new: Usage) -> None:
    for mine, theirs, result in zip(astuple(new), astuple(old), astuple(new.over(old)), strict=True):
        assert result == (theirs if mine is None else mine)
    assert new.over(middle).over(old) == new.over(middle.over(old))
    assert new.over(Usage()) == new == Usage().over(new)


def test_a_reported_zero_is_not_taken_for_silence() -> None:
    assert Usage(cached_tokens=0).over(Usage(cached_tokens=7)).cached_tokens == 0


def test_processed_tokens_are_known_when_both_their_parts_are() -> None:
    assert Usage(100, 60).processed_tokens == 40
    assert Usage(100, 0).processed_tokens == 100
    assert Usage(100).processed_tokens is None
    assert Usage(cached_tokens=60).processed_tokens is None


def test_an_answer_that_ends_reports_nothing_of_itself() -> None:
    assert Finished("end").usage == Usage()


PIECES = st.one_of(
    st.builds(TextDelta, st.text("ab", max_size=2)),
    st.builds(ThinkingDelta, st.text("ab", max_size=2), st.sampled_from(["", "", "signed"])),
    st.builds(ToolDelta, st.integers(0, 1), st.text("ab", max_size=2)),
    st.builds(ToolStart, st.integers(0, 1), st.just("id"), st.just("Bash")),
    st.just(Progress(10, 0, 5, 1.0)),
)


@given(st.lists(PIECES, max_size=12))
def test_pieces_that_came_together_are_told_together_and_say_the_same(pieces: list[Event]) -> None:
    told = together(pieces)
    one, other = AnswerCollector(), AnswerCollector()
    for event in pieces:
        one.feed(event)
    for event in told:
        other.feed(event)
    assert other.parts == one.parts
    assert together(told) == told
    assert [event for event in told if isinstance(event, ToolStart | Progress)] == [
        event for event in pieces if isinstance(event, ToolStart | Progress)
    ]


def test_a_signature_ends_a_piece_and_calls_side_by_side_stay_apart() -> None:
    pieces: list[Event] = [
        ThinkingDelta("a"),
        ThinkingDelta("b"),
        ThinkingDelta("c", "signed"),
        ThinkingDelta("d"),
        TextDelta("e"),
    ]
    pieces += [TextDelta("f"), ToolDelta(0, "g"), ToolDelta(0, "h"), ToolDelta(1, "i")]
    assert together(pieces) == [
        ThinkingDelta("ab"),
        ThinkingDelta("c", "signed"),
        ThinkingDelta("d"),
        TextDelta("ef"),
        ToolDelta(0, "gh"),
        ToolDelta(1, "i"),
    ]
