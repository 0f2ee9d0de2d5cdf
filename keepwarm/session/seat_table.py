"""The slots of one server and who sits in them: values, and what changes them besides a choice (`affinity`). Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

Bond: TypeAlias = Literal["", "fork", "successor"]
"""How a new conversation hangs together with an older one: it repeats its turns, or takes its place."""
SIDE = "side"
KNOWN = 256
"""Tenants without a seat that are remembered: more than any host cache holds."""


class Alike(msgspec.Struct, frozen=True):
    """Another conversation with the same head."""

    lineage: str
    tokens: int
    """Of the head that both have for certain, about."""
    most: int = 0
    """And that they may have, where it is more: whether tools or system prompt come first is the template's to say."""

    @property
    def hoped(self) -> int:
        """Tokens that it is worth trying for."""
        return max(self.tokens, self.most)


class Guest(msgspec.Struct, frozen=True):
    """Who wants a seat."""

    lineage: str
    session: str
    kind: str
    """"main", "subagent" or "side"."""
    bond: Bond = ""
    """When it is new: how it hangs together with one of `after`."""
    after: tuple[str, ...] = ()
    """The lineages that the bond may be to; where several of them have a seat it is not known which, and none."""
    tokens: int = 0
    """Of its prompt before."""
    parted: bool = False
    """It is a fork of which it is known that the other goes on as well."""
    alike: tuple[Alike, ...] = ()
    """When it is new: the conversations that it has its head in common with."""


class Chair(msgspec.Struct, frozen=True):
    """One slot of the server."""

    slot: int
    tenant: str = ""
    """Lineage id, or "side" for the calls that share a seat; "" while it is empty."""
    session: str = ""
    kind: str = ""
    used: int = 0
    """Order of last use."""
    busy: int = 0
    """Requests in flight."""
    forks: tuple[str, ...] = ()
    """Lineages that share their first turns with the tenant and sat here before it."""
    shared: bool = False
    """One of these has come back, and the tenant is it."""
    tokens: int = 0
    """Of its content; 0 while that is not known. Where nobody sits in it there may be something foreign in it."""
    left: int = 0
    """`SeatTable.clock` when its latest request was over."""


class SeatTable(msgspec.Struct, frozen=True):
    """The slots of one server, and who has sat there."""

    chairs: tuple[Chair, ...] = ()
    """Empty when the server has no slots to choose from."""
    clock: int = 0
    known: tuple[str, ...] = ()
    """Tenants that have had a seat and lost it, the latest last: their cache may be in the server's host memory."""
    ended: tuple[str, ...] = ()
    """Those of `known` whose place a successor took: nobody waits for them."""
    splits: bool = False
    """What is in a slot can be cut anywhere."""
    clears: bool | None = None
    """Idle slots are emptied when another one begins to work; None while that is not known."""
    saves: bool | None = None
    """What a slot loses is in the server's host cache; None while that is not known."""

    def busy(self) -> int:
        """Slots at work."""
        return sum(1 for chair in self.chairs if chair.busy)


def seats(count: int, before: Sequence[tuple[Guest, int | None]] = (), *, splits: bool = False) -> SeatTable:
    """A table of `count` slots.

    splits  see `SeatTable`
    before  who has had one in an earlier process, the one used longest ago first, and in which slot they still were;
            None where another had taken it. The server may have been started anew since: then nothing is lost but the
            tiny request of a handover.
    """
    chairs = {slot: Chair(slot) for slot in range(count)}
    known: list[str] = []
    for used, (guest, slot) in enumerate(before, 1):
        tenant = tenant_of(guest, count)
        if slot in chairs:
            chairs[slot] = Chair(slot, tenant, guest.session, guest.kind, used)
        elif tenant != SIDE:
            known.append(tenant)
    return SeatTable(tuple(chairs.values()), len(before), tuple(known[-KNOWN:]), splits=splits)


def tried(table: SeatTable, slot: int) -> SeatTable:
    """The table while something is tried in an empty slot; `leave` when that is over."""
    return with_chair(table, slot, lambda chair: replace(chair, busy=chair.busy + 1))


def leave(table: SeatTable, slot: int | None, tokens: int = 0) -> SeatTable:
    """The table when a request in `slot` is over; `tokens` are what is in it then, 0 where that is not known."""
    return with_chair(
        table, slot, lambda chair: replace(chair, busy=max(0, chair.busy - 1), tokens=tokens, left=table.clock)
    )


def emptied(table: SeatTable) -> SeatTable:
    """The table when it is no longer known what is in the slots, and which server it is."""
    chairs = tuple(replace(chair, tokens=0) for chair in table.chairs)
    return replace(table, chairs=chairs, clears=None, saves=None)


def tenant_of(guest: Guest, chairs: int) -> str:
    """Who a guest is at one of so many chairs: side calls share one."""
    return SIDE if guest.kind == SIDE and chairs > 1 else guest.lineage


def with_chair(table: SeatTable, slot: int | None, change: Callable[[Chair], Chair]) -> SeatTable:
    """The table with one of its chairs changed."""
    chairs = tuple(change(chair) if chair.slot == slot else chair for chair in table.chairs)
    return replace(table, chairs=chairs)
