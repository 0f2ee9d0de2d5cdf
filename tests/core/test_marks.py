"""A request as the row of blocks that are cached."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core.marks import Row, Slot, with_marks
from tests.rules.rows import rows

ROW = Row(
    (
        Slot("system", "/system/0", 400, marked=True),
        Slot("messages", "/messages/0/content/0", 400, turn=0, asked=True),
        Slot("messages", "/messages/0/content/1", 40, can_hold=False, turn=0, asked=True),
        Slot("messages", "/messages/1/content/0", 400, turn=1),
        Slot("messages", "/messages/2/content", 400, turn=2, asked=True),
    )
)


def test_where_the_markers_are_and_how_much_stands_before_them() -> None:
    assert (ROW.marks, ROW.is_marked, ROW.tokens(0), ROW.tokens(4)) == ([0], True, 100, 410)
    assert Row(automatic=True).is_marked
    assert not Row().is_marked


def test_the_end_of_a_turn_is_its_last_block_that_can_hold_a_marker() -> None:
    assert ROW.asked_ends() == [1, 4]


def test_markers_are_set_and_taken_off() -> None:
    assert with_marks(ROW, {3, 4}).marks == [0, 3, 4]
    assert with_marks(ROW, {4}, {0}).marks == [4]


@given(rows)
def test_nothing_but_markers_changes(row: Row) -> None:
    every = set(range(len(row.slots)))
    assert with_marks(with_marks(row, every), set(row.marks), every - set(row.marks)) == row
