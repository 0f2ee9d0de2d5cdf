"""Seats: who keeps one, who gives one up, and what is done before it changes hands."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.session.affinity import PART, Choice, choose
from keepwarm.session.seat_table import KNOWN, SIDE, Guest, SeatTable, leave, seats

LINEAGES = "abcdefgh"


def guest(lineage: str, kind: str = "main", session: str = "") -> Guest:
    return Guest(lineage, session or f"session of {lineage}", kind)


guests = st.builds(
    guest, st.sampled_from(LINEAGES), st.sampled_from(["main", "subagent", SIDE]), st.sampled_from(["s1", "s2", ""])
).map(lambda one: Guest(one.lineage + one.kind[0], one.session, one.kind))
"""A lineage has one kind all its life."""


def play(slots: int, row: list[Guest]) -> list[tuple[SeatTable, Guest, Choice]]:
    """Each guest in turn, each gone before the next comes: (the table before, the guest, the choice)."""
    table = seats(slots)
    played = []
    for one in row:
        choice = choose(table, one)
        played.append((table, one, choice))
        table = leave(choice.table, choice.slot)
    return played


def tenant(one: Guest, slots: int) -> str:
    return SIDE if one.kind == SIDE and slots > 1 else one.lineage


@given(st.integers(1, 8), st.lists(guests, max_size=40))
def test_with_a_slot_for_each_nobody_ever_loses_one(slots: int, row: list[Guest]) -> None:
    seated: dict[str, int | None] = {}
    kept = []
    for one in row:
        if tenant(one, slots) in seated or len(seated) < slots:
            seated[tenant(one, slots)] = None
            kept.append(one)
    for _, one, choice in play(slots, kept):
        mine = seated[tenant(one, slots)]
        assert mine in (None, choice.slot)
        assert choice.handover == "none"
        seated[tenant(one, slots)] = choice.slot


@given(st.integers(1, 6), st.lists(guests, max_size=40))
def test_a_slot_that_changes_hands_is_always_prepared(slots: int, row: list[Guest]) -> None:
    gone: set[str] = set()
    for before, one, choice in play(slots, row):
        assert choice.slot is not None
        old = before.chairs[choice.slot].tenant
        mine = tenant(one, slots)
        if old in ("", mine):
            assert choice.handover == "none"
        else:
            assert all(chair.tenant for chair in before.chairs), "an empty slot was there"
            assert choice.handover == ("refill" if mine in gone else "clear")
            gone.add(old)
        gone.discard(mine)


@given(st.integers(2, 6), st.lists(guests, max_size=40))
def test_a_side_call_never_takes_a_conversations_slot_while_another_is_free(slots: int, row: list[Guest]) -> None:
    for before, one, choice in play(slots, row):
        if one.kind == SIDE and choice.slot is not None:
            taken = before.chairs[choice.slot].tenant
            if taken not in ("", SIDE):
                assert all(chair.tenant not in ("", SIDE) for chair in before.chairs)


@given(st.integers(2, 6), st.lists(guests, max_size=40))
def test_a_main_conversation_is_the_last_that_its_own_session_drives_out(slots: int, row: list[Guest]) -> None:
    for before, one, choice in play(slots, row):
        assert choice.slot is not None
        old = before.chairs[choice.slot]
        mine = tenant(one, slots)
        if old.tenant in ("", mine) or old.kind != "main" or one.kind == "main" or old.session != one.session != "":
            continue
        if old.session == one.session:
            assert all(chair.kind == "main" and chair.session == one.session for chair in before.chairs)


@given(st.integers(1, 6), st.lists(st.tuples(guests, st.booleans()), max_size=40))
def test_whoever_is_at_work_is_left_in_peace_while_another_slot_is_idle(
    slots: int, row: list[tuple[Guest, bool]]
) -> None:
    table = seats(slots)
    for one, stays in row:
        choice = choose(table, one)
        assert choice.slot is not None
        taken = table.chairs[choice.slot]
        if taken.busy and taken.tenant != tenant(one, slots):
            assert table.busy() == slots
        table = choice.table if stays else leave(choice.table, choice.slot)


def test_the_one_used_longest_ago_goes_first() -> None:
    (*_, last) = play(3, [guest(name) for name in "abcabad"])
    assert last[0].chairs[last[2].slot or 0].tenant == "c"


def driven_out(row: list[Guest]) -> str:
    """Who gives the slot up to the last of these, with as many slots as there were guests before."""
    before, _, choice = play(len(row) - 1, row)[-1]
    assert choice.slot is not None
    return before.chairs[choice.slot].tenant


def test_the_side_calls_seat_goes_first_however_lately_it_was_used() -> None:
    assert driven_out([guest("a"), guest("t", SIDE), guest("b")]) == SIDE


def test_a_sessions_next_main_conversation_may_take_the_place_of_its_last() -> None:
    """After /clear nobody waits in the old one."""
    first, agent, second = guest("a", session="s"), guest("b", "subagent", "s"), guest("c", session="s")
    assert driven_out([first, agent, second]) == "a"


def test_clients_that_name_no_session_do_not_wait_for_each_other() -> None:
    nameless = [Guest("a", "", "main"), guest("b"), Guest("c", "", "subagent")]
    assert driven_out(nameless) == "a"


@given(st.integers(1, 3), st.lists(guests, max_size=40))
def test_who_has_a_seat_is_not_remembered_as_one_who_lost_it(slots: int, row: list[Guest]) -> None:
    for _, _, choice in play(slots, row):
        seated = {chair.tenant for chair in choice.table.chairs}
        assert seated.isdisjoint(choice.table.known)
        assert len(set(choice.table.known)) == len(choice.table.known)


def test_one_slot_is_shared_by_all_and_side_calls_have_no_seat_of_their_own() -> None:
    main, side = guest("a"), guest("t", SIDE)
    choices = [choice for _, _, choice in play(1, [main, side, main])]
    assert [choice.slot for choice in choices] == [0, 0, 0]
    assert [choice.handover for choice in choices] == ["none", "clear", "refill"]


def test_a_server_without_slots_chooses_itself() -> None:
    choice = choose(seats(0), guest("a"))
    assert (choice.slot, choice.handover) == (None, "none")
    assert leave(choice.table, None) == choice.table


def test_leaving_twice_is_not_two_requests_less() -> None:
    table = choose(choose(seats(1), guest("a")).table, guest("a")).table
    assert table.busy() == 1
    for busy in (1, 0, 0):
        table = leave(table, 0)
        assert table.busy() == busy


def test_what_is_remembered_of_those_without_a_seat_is_bounded() -> None:
    table = seats(1)
    for number in range(KNOWN + 50):
        table = leave(choose(table, guest(str(number))).table, 0)
    assert len(table.known) == KNOWN
    assert table.known[-1] == str(KNOWN + 48)
    assert choose(table, guest("0")).handover == "clear"
    assert choose(table, guest(str(KNOWN))).handover == "refill"


# Conversations that hang together with an older one


def fork(lineage: str, after: str) -> Guest:
    return Guest(lineage, f"session of {lineage}", "main", "fork", (after,))


def successor(lineage: str, *after: str) -> Guest:
    return Guest(lineage, f"session of {lineage}", "main", "successor", after)


def slots_of(slots: int, row: list[Guest]) -> list[tuple[int | None, str]]:
    return [(choice.slot, choice.handover) for _, _, choice in play(slots, row)]


def test_a_successor_takes_the_slot_of_the_old_one_though_others_are_empty() -> None:
    assert slots_of(4, [guest("a"), successor("b", "a"), guest("b")]) == [(0, "none"), (0, "keep"), (0, "none")]
    choice = play(4, [guest("a"), successor("b", "a")])[-1][2]
    assert choice.before == "a"


def test_who_comes_back_after_its_successor_looks_for_its_cache_in_the_servers_memory() -> None:
    assert slots_of(4, [guest("a"), successor("b", "a"), guest("a")])[-1] == (1, "refill")


def test_a_fork_goes_on_in_the_slot_and_the_one_that_it_left_gets_another_when_it_comes_back() -> None:
    row = [guest("a"), fork("b", "a"), guest("a"), guest("b"), fork("c", "b"), guest("a")]
    assert slots_of(4, row) == [(slot, "none") for slot in (0, 0, 1, 0, 0, 1)]
    assert [choice.anew != "" for _, _, choice in play(4, row)] == [False, False, True, False, False, False]


def test_a_long_one_takes_its_slot_again_until_both_have_come_back() -> None:
    row = [guest("a"), fork("b", "a"), guest("a"), guest("b"), guest("a"), guest("b")]
    played = play(4, [replace(one, tokens=20_000) for one in row])
    assert [choice.slot for _, _, choice in played] == [0, 0, 0, 1, 0, 1]
    assert [choice.anew != "" for _, _, choice in played] == [False, False, False, True, False, False]


def split_of(slots: int, row: list[Guest], tokens: int = 3_000) -> list[tuple[int | None, str, int]]:
    """(slot, handover, tokens kept) for each, where each leaves so many tokens in a slot that can be cut anywhere."""
    table = replace(seats(slots, splits=True), saves=True)
    found: list[tuple[int | None, str, int]] = []
    for one in row:
        choice = choose(table, one)
        found.append((choice.slot, choice.handover, choice.keeps))
        table = leave(choice.table, choice.slot, tokens)
    return found


def test_who_comes_back_after_a_fork_takes_the_slot_and_the_other_finds_its_own_in_the_servers_memory() -> None:
    row = [guest("a"), fork("b", "a"), guest("a"), guest("b"), guest("a")]
    split = int(PART * 3_000)
    assert split_of(4, row) == [(0, "none", 0), (0, "none", 0), (0, "split", split), (1, "refill", 0), (0, "none", 0)]
    assert 2 * split < 3_000


def test_what_is_not_known_cannot_be_split() -> None:
    row = [guest("a"), fork("b", "a"), guest("a")]
    assert split_of(4, row, 0)[-1] == (1, "none", 0)
    assert split_of(1, row)[-1] == (0, "none", 0)


def test_a_fork_that_is_known_to_go_on_beside_the_other_gets_a_seat_at_once() -> None:
    both = replace(fork("b", "a"), parted=True)
    assert split_of(4, [guest("a"), both, guest("a")])[1:] == [(0, "split", int(PART * 3_000)), (1, "refill", 0)]
    assert slots_of(4, [guest("a"), both, guest("a")])[1:] == [(1, "none"), (0, "none")]
    choice = play(4, [guest("a"), both])[-1][2]
    assert choice.anew == "a fork of this conversation goes on in the one it had"


def test_a_long_one_that_is_known_to_go_on_shares_the_slot_until_the_other_has_come_back_too() -> None:
    row = [guest("a"), replace(fork("b", "a"), parted=True), guest("a"), guest("b"), guest("a")]
    found = split_of(4, [replace(one, tokens=20_000) for one in row])
    assert [(slot, handover) for slot, handover, _ in found] == [
        (0, "none"), (0, "none"), (0, "none"), (0, "split"), (1, "refill")
    ]  # fmt: skip


def test_where_no_slot_is_empty_the_two_share_one() -> None:
    row = [guest("a"), fork("b", "a"), guest("a"), guest("b"), fork("c", "b"), guest("a")]
    assert slots_of(1, row) == [(0, "none")] * 6


def test_a_fork_of_one_at_work_gets_a_slot_of_its_own() -> None:
    table = choose(seats(3), guest("a")).table
    for one in (fork("b", "a"), successor("c", "a")):
        choice = choose(table, one)
        assert (choice.slot, choice.handover) == (1, "none")


def test_a_slot_given_to_a_stranger_is_no_forks_any_more() -> None:
    before, _, choice = play(1, [guest("a"), fork("b", "a"), guest("x"), guest("a")])[-1]
    assert before.chairs[0].forks == ()
    assert choice.handover == "refill"


def test_where_it_is_not_known_whose_place_it_takes_it_takes_none() -> None:
    row = [guest("a"), guest("b"), successor("c", "a", "b")]
    assert slots_of(4, row)[-1] == (2, "none")
    assert slots_of(4, [guest("a"), guest("z"), successor("c", "a", "b")])[-1] == (0, "keep")


@given(st.integers(1, 6), st.lists(st.tuples(guests, st.sampled_from(["", "fork", "successor"]), guests), max_size=40))
def test_whatever_hangs_together_each_lineage_has_one_seat(slots: int, row: list[tuple[Guest, str, Guest]]) -> None:
    table = seats(slots)
    for one, bond, other in row:
        bound = msgspec.structs.replace(one, bond=bond, after=(other.lineage,))
        choice = choose(table, bound)
        tenants = [chair.tenant for chair in choice.table.chairs if chair.tenant]
        assert len(tenants) == len(set(tenants))
        assert set(tenants).isdisjoint(choice.table.known)
        assert choice.table.chairs[choice.slot or 0].tenant == tenant(one, slots)
        table = leave(choice.table, choice.slot)
