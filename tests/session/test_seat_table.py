"""The table of seats: what changes it besides a choice."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.session.affinity import choose
from keepwarm.session.seat_table import SIDE, Chair, Guest, SeatTable, emptied, leave, seats, tenant_of, tried

WHO = Guest("a", "session of a", "main")


def test_who_had_a_slot_in_an_earlier_process_has_it_still() -> None:
    table = seats(2, [(WHO, 1), (Guest("b", "s", "subagent"), None)], splits=True)
    assert table.chairs == (Chair(0), Chair(1, "a", "session of a", "main", 1))
    assert (table.clock, table.known, table.splits, table.clears, table.saves) == (2, ("b",), True, None, None)


def test_side_calls_share_one_seat_where_there_are_several() -> None:
    side = Guest("t", "s", SIDE)
    assert [tenant_of(one, chairs) for one in (WHO, side) for chairs in (1, 2)] == ["a", "a", "t", SIDE]


def test_who_leaves_leaves_what_is_in_the_slot() -> None:
    table = leave(choose(seats(2), WHO).table, 0, 500)
    assert (table.chairs[0].tokens, table.chairs[0].busy, table.chairs[0].left) == (500, 0, 1)
    assert leave(table, None) == table


def test_of_a_server_that_was_lost_nothing_is_known() -> None:
    table = replace(leave(choose(seats(2), WHO).table, 0, 500), clears=True, saves=True)
    lost = emptied(table)
    assert (lost.chairs[0].tenant, lost.chairs[0].tokens, lost.clears, lost.saves) == ("a", 0, None, None)


def test_a_slot_in_which_something_is_tried_is_nobodys_until_that_is_over() -> None:
    table = tried(seats(2), 0)
    assert choose(table, WHO).slot == 1
    table = leave(table, 0, 1)
    assert (choose(table, WHO).slot, choose(table, WHO).handover) == (0, "clear"), "something foreign is in it"
    assert isinstance(table, SeatTable)
