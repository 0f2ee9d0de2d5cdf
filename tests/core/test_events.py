"""Usage: what was not reported is not zero."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from keepwarm.core.events import Finished, Usage

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
