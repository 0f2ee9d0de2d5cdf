"""Seats of new conversations whose head is warm in another one's slot, and of those whose slot is emptied meanwhile."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.session.affinity import choose, doubtful, late
from keepwarm.session.seat_table import Alike, Guest, SeatTable, leave, seats
from tests.session.test_affinity import LINEAGES, fork, guest, successor


def with_the_head_of(lineage: str, *others: tuple[str, int], kind: str = "main") -> Guest:
    alike = tuple(Alike(other, tokens) for other, tokens in others)
    return Guest(lineage, f"session of {lineage}", kind, alike=alike)


def table_of(*tenants: str, slots: int = 4, tokens: int = 30_000, clears: bool | None = False) -> SeatTable:
    """These sit in the first slots, idle, each with so many tokens, in a server that can do all that is asked of it."""
    table = replace(seats(slots, splits=True), clears=clears, saves=True)
    for tenant in tenants:
        choice = choose(table, guest(tenant))
        table = leave(choice.table, choice.slot, tokens)
    return table


def seat(table: SeatTable, one: Guest) -> tuple[int | None, str, int, int | None, str]:
    choice = choose(table, one)
    return choice.slot, choice.handover, choice.stands, choice.source, choice.missed


def test_a_new_one_gets_an_empty_slot_and_a_copy_of_the_head() -> None:
    assert seat(table_of("a", "b"), with_the_head_of("c", ("a", 25_000))) == (2, "copy", 25_000, 0, "")


def test_most_of_the_head_is_copied_from_an_idle_one_before_others() -> None:
    table = table_of("a", "b", "c")
    row = with_the_head_of("d", ("a", 5_000), ("b", 25_000), ("c", 25_000))
    assert seat(table, row)[3] == 1
    assert seat(choose(table, guest("b")).table, row)[3] == 2


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (replace(table_of("a"), splits=False), "cannot|not known"),
        (table_of("a", clears=True), "would lose it"),
        (choose(table_of("a"), guest("a")).table, "at work"),
        (table_of("a", tokens=0), "so little"),
        (table_of("a", tokens=150_000), "so little"),
        (replace(table_of("a"), known=("z",)), "no slot now"),
    ],
)
def test_where_no_copy_is_to_be_had_it_is_said_why(table: SeatTable, why: str) -> None:
    slot, handover, stands, source, missed = seat(table, with_the_head_of("c", ("a", 25_000), ("z", 100)))
    assert (slot, handover, stands, source) == (1, "none", 25_000, 0)
    assert re.search(why, missed)


def test_a_head_that_may_be_the_same_is_tried_for_and_not_claimed() -> None:
    """Other system prompts with the same tools: they begin alike where a template prints the tools first."""
    one = Guest("c", "session of c", "main", alike=(Alike("a", 10, 25_000),))
    choice = choose(table_of("a"), one)
    assert (choice.handover, choice.stands, choice.unsure) == ("copy", 10, True)
    left = choose(replace(table_of("b"), known=("a",)), one)
    assert (left.handover, left.stands, left.unsure) == ("none", 10, True)
    sure = choose(table_of("a"), with_the_head_of("c", ("a", 25_000)))
    assert (sure.stands, sure.unsure) == (25_000, False)


def test_a_little_head_is_not_copied() -> None:
    assert seat(table_of("a"), with_the_head_of("c", ("a", 1_000)))[1] == "none"


def test_what_the_server_saved_of_one_whose_place_a_successor_took_keeps_nobody_from_a_copy() -> None:
    choice = choose(table_of("a"), successor("b", "a"))
    table = leave(choice.table, 0, 30_000)
    assert table.ended == ("a",)
    assert seat(table, with_the_head_of("c", ("b", 25_000), ("a", 25_000)))[1] == "copy"
    back = leave(choose(table, guest("a")).table, 1, 30_000)
    assert back.ended == ()


def test_what_is_left_of_one_without_a_slot_is_told_of_and_left_to_it() -> None:
    table = replace(table_of("a"), known=("z",))
    assert seat(table, with_the_head_of("c", ("z", 25_000)))[:4] == (1, "none", 25_000, None)


def test_in_anothers_place_the_common_head_stays_if_less_than_half() -> None:
    table = table_of("a", "b", slots=2)
    choice = choose(table, with_the_head_of("c", ("a", 25_000)))
    assert (choice.slot, choice.handover, choice.keeps, choice.before) == (0, "share", 13_500, "a")
    assert seat(table, with_the_head_of("c", ("b", 25_000)))[:2] == (0, "clear")
    assert seat(replace(table, clears=True), with_the_head_of("c", ("a", 25_000)))[:2] == (0, "clear")


def test_idle_slots_that_are_emptied_are_refilled_when_others_came_since() -> None:
    table = table_of("a", "b", clears=True)
    assert [choose(table, guest(name)).handover for name in "ab"] == ["refill", "none"]
    assert choose(table_of("a", "b"), guest("a")).handover == "none"
    assert choose(table, successor("c", "a")).handover == "refill"


def test_when_it_can_be_seen_whether_idle_slots_are_emptied() -> None:
    table = table_of("a", "b", clears=None)
    assert late(table, guest("a")) == (0, True)
    assert late(table, guest("b")) is None
    assert late(table_of("a", "b"), guest("a")) is None
    at_work = choose(table_of("a", clears=None), guest("b")).table
    assert late(at_work, guest("a")) == (0, False)


def test_whether_the_server_saves_is_tried_in_an_empty_slot_for_a_split_alone() -> None:
    table = replace(table_of("a"), saves=None)
    both = replace(fork("b", "a"), parted=True)
    assert doubtful(table, both) == 1
    assert doubtful(replace(table, saves=False), both) is None
    assert doubtful(table, guest("b")) is None
    assert choose(table, both).handover == "none"


heads = st.lists(st.tuples(st.sampled_from(LINEAGES), st.integers(0, 40_000)), max_size=4)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(LINEAGES), heads, st.booleans(), st.integers(0, 60_000)), max_size=30),
    st.sampled_from([None, False, True]),
)
def test_for_a_head_nobody_gives_up_what_is_not_saved(
    slots: int, row: list[tuple[str, list[tuple[str, int]], bool, int]], clears: bool | None
) -> None:
    table = replace(seats(slots, splits=True), clears=clears)
    for lineage, others, stays, tokens in row:
        one = with_the_head_of(lineage, *others)
        plain = choose(table, replace(one, alike=()))
        choice = choose(table, one)
        assert (choice.slot, choice.before, choice.table) == (plain.slot, plain.before, plain.table), "the same seats"
        assert choice.slot is not None
        old = table.chairs[choice.slot]
        if choice.handover == "copy":
            assert not old.tenant
            assert choice.source is not None
            source = table.chairs[choice.source]
            assert source.tenant in [name for name, _ in others]
            assert not source.busy
            assert not table.clears
            assert {name for name, _ in others}.isdisjoint(set(table.known) - set(table.ended))
        elif choice.handover == "share":
            assert plain.handover == "clear", "it had to go"
            assert not old.busy
            assert 0 < 2 * choice.keeps < old.tokens
        else:
            assert choice.handover == plain.handover
        table = choice.table if stays else leave(choice.table, choice.slot, tokens)
