"""Markers where they are missing: never more than four, never where they cannot stand, each finding the last."""

from __future__ import annotations

import pytest
from hypothesis import given
from msgspec.structs import replace

from keepwarm.core.marks import Row, with_marks
from keepwarm.rules.mrk002 import MOST
from keepwarm.rules.mrk003 import REACH, misplaced, place, reads_marks
from tests.rules.rows import rows


@given(rows)
def test_what_was_placed_needs_no_second_placing(row: Row) -> None:
    once = place(row)
    again = place(once.value)
    assert (again.value, again.edits) == (once.value, ())


@given(rows)
def test_markers_are_only_added_where_they_may_stand_and_are_worth_it(row: Row) -> None:
    after = place(row).value
    added = set(after.marks) - set(row.marks)
    assert set(row.marks) <= set(after.marks)
    assert not added or len(after.marks) <= MOST
    for at in added:
        assert row.slots[at].can_hold
        assert row.tokens(at) >= row.minimum
    if row.automatic:
        assert after is row


@given(rows)
def test_a_request_without_markers_is_marked_at_its_end_and_the_next_one_finds_it(row: Row) -> None:
    bare = with_marks(replace(row, automatic=False), (), range(len(row.slots)))
    after = place(bare).value
    ends = [at for at in bare.asked_ends() if bare.tokens(at) >= bare.minimum]
    assert set(ends[-2:]) <= set(after.marks)
    assert not misplaced(after) or not after.is_marked


@given(rows)
def test_it_is_named_where_a_marker_does_not_find_the_turn_before(row: Row) -> None:
    ends, marks = row.asked_ends(), row.marks
    if row.automatic or len(ends) < 2 or not marks or row.tokens(ends[-2]) < row.minimum:
        return
    behind = [at - ends[-2] for at in marks if at >= ends[-2]]
    lost = (behind and min(behind) > REACH) or ends[-1] - marks[-1] > REACH
    assert misplaced(row) == bool(lost)


@pytest.mark.parametrize(
    ("host", "asked", "reads"),
    [
        ("api.anthropic.com", None, True),
        ("bedrock-runtime.eu-west-1.amazonaws.com", None, True),
        ("europe-west1-aiplatform.googleapis.com", None, True),
        ("openrouter.ai", None, True),
        ("notanthropic.com", None, False),
        ("127.0.0.1", None, False),
        ("127.0.0.1", True, True),
        ("api.anthropic.com", False, False),
    ],
)
def test_who_reads_markers(host: str, asked: bool | None, reads: bool) -> None:
    assert reads_marks(host, asked) is reads
