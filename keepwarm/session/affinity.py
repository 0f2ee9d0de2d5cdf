"""Which slot of a server a conversation sits in, and why. Pure: a table goes in, a seat and a table come out.

llama.cpp keeps one KV cache a slot. A conversation that returns to its slot finds its prefix there; one that is
put elsewhere, or finds the slot used by another, pays for it again. So each lineage keeps one slot as long as
there are slots, and small side calls (titles, probes) share one.

With more conversations than slots a slot changes hands. What llama.cpp then does with the old content was
measured on xllamacpp 2026.10 (server-context.cpp, slot selection and prompt cache):

    it is saved to the host cache, and the host cache is searched, only when the next prompt keeps less than
    half of what is in the slot; an entry that is loaded is taken out of the cache, whole, even when only its
    head is of use; and entries of which less than a quarter would be kept are not loaded.

Hence three ways of handing a slot over, each one tiny request to the same slot beforehand:

    REFILL  for a conversation that has been here before: one token of something else. The old content is
            saved, and the conversation's own request then finds its entry and loads it whole.
    CLEAR   for a conversation that is new: the first few tokens of its own prompt. The old content is saved,
            and the request then keeps all of the slot, so it does not take another's entry apart.
    KEEP    for a conversation that takes the place of another with the same head (after /compact and /clear):
            what the two have in common. It is in the slot, so no entry of the host cache is of more use and none is
            loaded; the old content is saved, and the request then keeps all of the slot.

A new conversation is not always a stranger. One that was forked from another repeats its turns, one that was
compacted or cleared repeats its head: all that it repeats stands in the slot of the older one, which nobody is
waiting for any more. So it takes that slot, though others may be empty. Should the older one come back after a
fork, it takes the slot again and finds in it all that the two have in common; and so on, if no slot is empty. Where
one is, both get one of their own: at once if that is FEW tokens, else when both have come back, so that both go on.
Slots share nothing, and no request copies one into another. But what is saved to the host cache is saved whole while
the slot keeps what the next prompt has in common with it, if that is less than half. So whoever comes back takes the
slot with

    SPLIT   for one that shares its first turns with the one in the slot: nearly half of that, and no more. The old
            content is saved, the request keeps its half, and the other finds its own whole when it is REFILLed.

Where the content is not known, or a model cannot be cut like that, it is processed once in the empty slot instead.

Two sessions in one folder, or two sub-agents of one kind, begin with the same head and hang together in no other way.
A server that starts a task saves every idle slot to its host cache first, and by default each of them keeps what is in
it (measured on xllamacpp 2026.10: `--cache-idle-slots`). So a new conversation with the head of one that is seated gets

    COPY    into an empty slot: one token of something else, as for a REFILL. The request then finds the saved copy of
            the other, loads it and keeps the head of it. The other still has all of its own in its slot. An entry
            of which less than a quarter would be kept is not loaded.
    SHARE   of a slot whose tenant gives it up to it: what both have in common, less than half of the content. That is
            saved as for a CLEAR, and so much less is processed.

No COPY is made where the copy may be all that another one has: one that lost its seat, or any where idle slots are
emptied as well. llama.cpp does that with one KV cache for all slots (`--kv-unified`, which is what it takes where no
`--parallel` is given). There a slot is empty when its conversation comes back to it after others, and a request to an
empty slot looks for nothing in the host cache: so it is REFILLed.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.session.seat_table import KNOWN, SIDE, Alike, Bond, Chair, Guest, SeatTable, tenant_of, with_chair

Handover: TypeAlias = Literal["none", "refill", "clear", "keep", "split", "copy", "share"]
FEW = 4_096
"""Tokens that may be processed anew before it is known that two conversations both go on."""
PART: Final = 0.45
"""Of what is in a slot, so much is less than half for certain: the server does not count its answer's last token."""
FORKS = 16
"""Lineages of one fork that are remembered for a seat."""
LEAST: Final = 1_024
"""Tokens of a head for which a copy is worth two tiny requests and the loading of all that stands behind it."""
CLEARED: Final = "with one cache for all slots (llama.cpp without --parallel N) that one would lose it"
"""Why no copy is made where idle slots are emptied."""
LOADED: Final = 4
"""What the server saved is loaded where no less than one part in so many of it is of use."""


class Choice(msgspec.Struct, frozen=True):
    """A seat, why, and what has to be done before it is taken."""

    slot: int | None
    reason: str
    handover: Handover
    table: SeatTable
    before: str = ""
    """Whose seat it was; "" for its own, or an empty one."""
    anew: str = ""
    """Why a conversation that has been here before begins anew in this slot; "" when it does not."""
    keeps: int = 0
    """Tokens that stay in the slot when it is split or shared, at the most."""
    stands: int = 0
    """Of a new conversation: tokens of its head, about, that stand in another one's slot."""
    unsure: bool = False
    """It may be more."""
    source: int | None = None
    """The slot of `stands`; of a copy, that of the conversation that it is made of."""
    missed: str = ""
    """Why what stands there is not to be had; "" where it is, or nothing stands."""


def choose(table: SeatTable, guest: Guest) -> Choice:
    """The seat for a request of `guest`; the table that comes back has it sitting there, at work."""
    if not table.chairs:
        return Choice(None, "the server has no slots to choose from", "none", table)
    tenant = tenant_of(guest, len(table.chairs))
    for chair in table.chairs:
        if chair.tenant == tenant:
            return _seated(table, chair, guest, tenant, "its own slot", _again(table, chair, "none"))
    inherited = _inherited(table, guest)
    empty = _empty(table)
    if inherited is not None:
        chair, bond = inherited
        both = tenant in chair.forks or guest.parted
        if empty is not None and both and (chair.shared or guest.tokens <= FEW):
            return _beside(table, guest, tenant, chair, empty)
        reason, handover = _INHERITED[bond]
        return _seated(table, chair, guest, tenant, reason, _again(table, chair, handover), bond)
    known = tenant in table.known
    if empty is None:
        return _in_anothers_place(table, guest, tenant)
    if not known and (standing := _standing(table, guest)) is not None:
        return _with_a_copy(table, guest, tenant, empty, standing)
    choice = _seated(table, empty, guest, tenant, _EMPTY, "refill" if known else _into(empty))
    return choice if known else _left(choice, _saved(table, guest))


def doubtful(table: SeatTable, guest: Guest) -> int | None:
    """The empty slot in which it can be tried whether the server saves what a slot loses, where the seat of this guest
    hangs on that; None where it does not."""
    if table.saves is not None or not (guest.bond or any(chair.forks for chair in table.chairs)):
        return None
    if choose(replace(table, saves=True), guest).handover != "split":
        return None
    empty = _empty(table)
    return None if empty is None else empty.slot


def late(table: SeatTable, guest: Guest) -> tuple[int, bool] | None:
    """The slot of a conversation that comes back after others, where it is not known whether that empties a slot; and
    whether one of them has been at work for certain. None where it is known, or nothing can be told."""
    if table.clears is not None:
        return None
    tenant = tenant_of(guest, len(table.chairs))
    mine = next((chair for chair in table.chairs if chair.tenant == tenant and chair.tokens and not chair.busy), None)
    others = [chair for chair in table.chairs if mine is not None and chair.used > mine.left]
    if mine is None or not others:
        return None
    return mine.slot, any(chair.tokens and not chair.busy for chair in others)


_INHERITED: Final[dict[Bond, tuple[str, Handover]]] = {
    "fork": ("the slot of the conversation that it shares its turns with", "none"),
    "successor": ("the slot of the conversation that it takes the place of", "keep"),
}
_EMPTY: Final = "a slot that was empty"
_ALL: Final = "it was left there, for that one has no slot now and nothing else"
_HALF: Final = "of a slot that changes hands less than half can stay"
_TAKEN: Final = "no other slot was free to copy it to"
_PARTED: Final = "a fork of this conversation goes on in the one it had"
_SPLIT: Final = "a fork of this conversation goes on beside it"


def _inherited(table: SeatTable, guest: Guest) -> tuple[Chair, Bond] | None:
    """An idle chair with what the guest repeats in it, though another sits there; and why it may have it."""
    for chair in table.chairs:
        if guest.lineage in chair.forks and not chair.busy:
            return chair, "fork"
    older = [chair for chair in table.chairs if chair.tenant in guest.after]
    return (older[0], guest.bond) if guest.bond and len(older) == 1 and not older[0].busy else None


def _beside(table: SeatTable, guest: Guest, tenant: str, chair: Chair, empty: Chair) -> Choice:
    """A seat of its own for a guest of which another in `chair` shares the first turns: both go on."""
    if table.splits and table.saves and not table.clears and chair.tokens:
        choice = _seated(table, chair, guest, tenant, f"the slot that it shared: {_SPLIT}", "split")
        return replace(choice, anew=_SPLIT, keeps=int(PART * chair.tokens))
    table = with_chair(table, chair.slot, lambda old: replace(old, forks=_without(old.forks, tenant)))
    choice = _seated(table, empty, guest, tenant, f"{_EMPTY}: {_PARTED}", _into(empty))
    return replace(choice, anew=_PARTED)


def _empty(table: SeatTable) -> Chair | None:
    return next((chair for chair in table.chairs if not chair.tenant and not chair.busy), None)


def _into(empty: Chair) -> Handover:
    """How a new conversation takes an empty slot."""
    return "clear" if empty.tokens else "none"


def _again(table: SeatTable, chair: Chair, handover: Handover) -> Handover:
    """How a slot is taken again, or inherited: others that were at work since may have had it emptied."""
    return "refill" if table.clears and chair.used != table.clock else handover


def _standing(table: SeatTable, guest: Guest) -> tuple[Chair, Alike] | None:
    """The chair with most of the guest's head in it, an idle one before others, and how much that is."""
    alike = {one.lineage: one for one in guest.alike}
    chairs = [(chair, alike[chair.tenant]) for chair in table.chairs if chair.tenant in alike]
    return max(chairs, key=lambda one: (one[1].hoped, not one[0].busy, -one[0].tokens), default=None)


def _with_a_copy(table: SeatTable, guest: Guest, tenant: str, empty: Chair, standing: tuple[Chair, Alike]) -> Choice:
    """An empty slot for a guest whose head stands in another, and a copy of that where it can be had."""
    chair, alike = standing
    missed = _why_no_copy(table, guest, chair, alike.hoped)
    choice = _seated(table, empty, guest, tenant, _EMPTY, _into(empty) if missed else "copy")
    return _told(choice, alike, chair.slot, missed)


def _why_no_copy(table: SeatTable, guest: Guest, chair: Chair, tokens: int) -> str:
    """Why the head in a chair cannot be copied; "" when it can."""
    if tokens < LEAST:
        return "it is too little to be fetched"
    if not table.splits:
        return "it is not known that this model's cache can be cut there"
    if table.clears:
        return CLEARED
    if chair.busy:
        return "it was at work"
    if _saved(table, guest):
        return "a copy might be taken from one that has no slot now"
    if tokens * LOADED < chair.tokens or not chair.tokens:
        return "the server loads no copy of which so little is of use"
    return ""


def _saved(table: SeatTable, guest: Guest) -> list[Alike]:
    """Those without a slot that are not over, of which the server may have saved a head that is the guest's too."""
    waiting = set(table.known).difference(table.ended)
    return [one for one in guest.alike if one.lineage in waiting and one.hoped]


def _left(choice: Choice, saved: list[Alike]) -> Choice:
    """A choice where the guest's head stands in no slot."""
    stands = max((one.tokens for one in saved), default=0)
    hoped = max((one.hoped for one in saved), default=0)
    return replace(choice, stands=stands, unsure=hoped > stands, missed=_ALL)


def _in_anothers_place(table: SeatTable, guest: Guest, tenant: str) -> Choice:
    """The seat of the one that is missed least; where both have the same head, as much of that as may stay."""
    chair, reason = _least_missed(table, guest)
    if tenant in table.known:
        return _seated(table, chair, guest, tenant, reason, "refill")
    standing = _standing(table, guest)
    keeps = int(PART * chair.tokens) if not chair.busy and table.splits and not table.clears else 0
    same = next((one for one in guest.alike if one.lineage == chair.tenant), None)
    if same is not None and min(keeps, same.hoped) >= LEAST:
        choice = _seated(table, chair, guest, tenant, reason, "share")
        return _told(replace(choice, keeps=keeps), same, chair.slot, _HALF)
    choice = _seated(table, chair, guest, tenant, reason, "clear")
    if standing is None:
        return _left(choice, _saved(table, guest))
    return _told(choice, standing[1], standing[0].slot, _TAKEN)


def _told(choice: Choice, alike: Alike, source: int, missed: str) -> Choice:
    """A choice with where the guest's head stands."""
    return replace(choice, stands=alike.tokens, unsure=alike.most > alike.tokens, source=source, missed=missed)


def _least_missed(table: SeatTable, guest: Guest) -> tuple[Chair, str]:
    """The chair whose tenant gives it up.

    In this order: idle before busy; the shared side seat; then the one used longest ago, but a session's main
    conversation, which waits while its own sub-agents work, only when nobody else is left.
    """

    def rank(chair: Chair) -> tuple[bool, bool, bool, int]:
        waits = chair.kind == "main" and chair.session == guest.session != "" and guest.kind != "main"
        return (chair.busy > 0, waits, chair.tenant != SIDE, chair.used)

    chair = min(table.chairs, key=rank)
    who = "side calls" if chair.tenant == SIDE else f"a {chair.kind} conversation"
    return chair, f"all {len(table.chairs)} slots are taken: {who} used longest ago gave its slot up"


def _seated(
    table: SeatTable, chair: Chair, guest: Guest, tenant: str, reason: str, handover: Handover, bond: Bond = ""
) -> Choice:
    known = _without(table.known, tenant, chair.tenant)
    if chair.tenant and chair.tenant != tenant:
        known = (*known, chair.tenant)[-KNOWN:]
    ended = (*table.ended, chair.tenant) if bond == "successor" else table.ended
    clock = table.clock + 1
    ended = tuple(name for name in dict.fromkeys(ended) if name in known)
    table = replace(table, clock=clock, known=known, ended=ended)
    forks, shared = (chair.forks, chair.shared) if chair.tenant == tenant else ((), False)
    if bond == "fork":
        shared = tenant in chair.forks
        forks = _without((*chair.forks, chair.tenant), tenant)[-FORKS:]
    table = with_chair(
        table,
        chair.slot,
        lambda old: Chair(old.slot, tenant, guest.session, guest.kind, clock, old.busy + 1, forks, shared),
    )
    return Choice(chair.slot, reason, handover, table, chair.tenant if chair.tenant != tenant else "")


def _without(names: tuple[str, ...], *gone: str) -> tuple[str, ...]:
    return tuple(name for name in names if name not in gone)
