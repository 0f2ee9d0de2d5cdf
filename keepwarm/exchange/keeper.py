"""What the requests to one upstream share: what stands, who sits where, which rules are in force."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from keepwarm.rules.engine import RuleBook
from keepwarm.rules.shelf import Books
from keepwarm.session.affinity import Choice, Guest, SeatTable, choose, leave, seats
from keepwarm.session.journal import Journal
from keepwarm.upstream.api import Dialect


class Call(msgspec.Struct, frozen=True):
    """One request of a client, whole."""

    id: str
    """Random, 24 hex digits: message and tool ids are made from it."""
    at: float
    """Unix seconds when it came."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    query: str = ""


class Manner(msgspec.Struct, frozen=True):
    """How requests are treated."""

    keep: bool = True
    """False: translate only, keep nothing; the prompt goes as the client wrote it."""
    observe: bool = False
    """True: nothing is rewritten; a server of the client's protocol gets the very bytes."""
    record: bool = False
    """True: prompt texts go into the ledger."""
    seats: bool = True
    """False: the server chooses its slots."""


class Keeper:
    """The shared state towards one upstream. Not frozen: this is the one place where a life changes the world."""

    def __init__(self, dialect: Dialect, rules: Books, journal: Journal, manner: Manner, slots: int = 0) -> None:
        if manner.observe and not dialect.same_protocol:
            # What has to be translated cannot go as it is: it is translated and nothing more.
            rules, manner = RuleBook(), replace(manner, observe=False)
        self.dialect = dialect
        self.books = rules
        """Where each client's rules are."""
        self.manner = manner
        self._journal = journal
        self._seats = seats(slots if manner.seats and manner.keep else 0)
        self._last_in_slot: dict[int, str] = {}

    @property
    def journal(self) -> Journal:
        """What stands; an empty one for each request where nothing is kept."""
        return self._journal if self.manner.keep else Journal()

    @property
    def table(self) -> SeatTable:
        """Who sits where."""
        return self._seats

    def sit(self, guest: Guest, returning: bool) -> tuple[Choice, str]:
        """A seat for a request, and why its slot no longer holds its conversation ("" when it does)."""
        choice = choose(self._seats, guest)
        self._seats = choice.table
        if choice.slot is None:
            return choice, ""
        last = self._last_in_slot.get(choice.slot)
        self._last_in_slot[choice.slot] = guest.lineage
        moved = ""
        if returning and last != guest.lineage:
            moved = f"slot {choice.slot} had been another conversation's in between"
        return choice, moved

    def stand_up(self, slot: int | None) -> None:
        """A request in `slot` is over."""
        self._seats = leave(self._seats, slot)
