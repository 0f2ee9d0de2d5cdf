"""What the requests to one upstream share: what stands, who sits where, which rules are in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Final

import msgspec
from msgspec.structs import replace

from keepwarm.core.events import Usage
from keepwarm.errors import ClientError
from keepwarm.exchange.loading import Loads
from keepwarm.exchange.routing import Ways
from keepwarm.ledger.server_side import Server
from keepwarm.rules.engine import RuleBook
from keepwarm.rules.shelf import Books
from keepwarm.session.affinity import Choice, choose, doubtful, late
from keepwarm.session.journal import Journal
from keepwarm.session.leads import Leads
from keepwarm.session.seat_table import Guest, SeatTable, emptied, leave, seats, tried
from keepwarm.upstream.api import Dialect
from keepwarm.upstream.fresh_start import Tally

NOTHING_TOLD: Final = Usage()
ENOUGH: Final = 3
"""Requests that go on and find nothing reused, after which a server that never reused anything is believed."""
LARGEST_BLOCK: Final = 128
"""Of servers that are known."""


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
    marks: bool = False
    """True: the server keeps only what carries a cache marker."""
    ways: Ways = Ways()
    """How requests find the machine that holds their conversation."""
    archive: bool = False
    """True: what stands is kept in the ledger, so that it stands in the next process too."""


class Terms(msgspec.Struct, frozen=True):
    """How the clients of one protocol are served."""

    dialect: Dialect
    books: Books
    """Where each client's rules are."""
    manner: Manner
    lifting: Books = RuleBook()
    """What reads the metadata in a prompt that is observed and stays as it is."""


class Pace:
    """How long the server takes for a token of a prompt: what it took lately counts most."""

    ENOUGH: Final = 256
    """Tokens that tell it: for fewer the time is that of everything else."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._ms = 0.0

    @property
    def usual(self) -> float | None:
        """Milliseconds a token; None while nothing is known."""
        return self._ms / self._tokens if self._tokens else None

    def learn(self, tokens: int, ms: float) -> float | None:
        """Take in that so many tokens took so long; what to reckon with for them, milliseconds a token."""
        if tokens < self.ENOUGH or ms <= 0:
            return self.usual
        self._tokens, self._ms = 0.9 * self._tokens + tokens, 0.9 * self._ms + ms
        return ms / tokens


class Keeper:
    """The shared state towards one upstream. Not frozen: this is the one place where a life changes the world.

    kind      of server, for the record
    dialects  by the protocol of the clients: one table of seats and one journal are for all of them
    memory    what its model keeps of a prompt: `Traits.memory`
    block     tokens that the server caches together, 0 where it does not say: `Traits.block`
    before    who has had a slot in an earlier process, see `affinity.seats`
    """

    def __init__(
        self,
        kind: str,
        dialects: Mapping[str, Dialect],
        rules: Books,
        journal: Journal,
        manner: Manner,
        slots: int = 0,
        context: int | None = None,
        before: Sequence[tuple[Guest, int | None]] = (),
        memory: str = "",
        block: int = 0,
    ) -> None:
        self.kind = kind
        self.manner = manner
        self._books = rules
        self._terms = {front: _terms(dialect, rules, manner) for front, dialect in dialects.items()}
        self._journal = journal
        self.leads = Leads()
        """What requests are expected to begin with."""
        self.loads = Loads()
        """How models are loaded."""
        self._seats = seats(slots if manner.seats and manner.keep else 0, before, splits=memory == "full")
        self._last_in_slot = {slot: guest.lineage for guest, slot in before if slot is not None}
        self._latest = ""
        self._trial: int | None = None
        self._memory = memory
        self._reuses = False
        self._nothings = 0
        self._block = block or LARGEST_BLOCK
        self._counts: dict[str, tuple[int, int]] = {}
        self._replicas: set[str] = set()
        self.pace = Pace()
        """How long a token of a prompt takes."""
        self.era = 0
        """How often the server was lost: what it held before may be gone since."""
        self.context = context
        """Tokens that one conversation can hold."""

    def terms(self, front: str) -> Terms:
        """How clients of a protocol are served. Raises ClientError where they cannot be."""
        terms = self._terms.get(front)
        if terms is None:
            raise ClientError(
                "the model server behind keepwarm speaks Anthropic's Messages API only: let this agent speak it too "
                "(POST /v1/messages), or start keepwarm with another --upstream",
                kind="not_found",
                status=404,
            )
        return terms

    def same_protocol(self, front: str) -> bool:
        """Whether the server speaks the protocol of these clients."""
        return front in self._terms and self._terms[front].dialect.same_protocol

    @property
    def journal(self) -> Journal:
        """What stands; an empty one for each request where nothing is kept."""
        return self._journal if self.manner.keep else Journal()

    @property
    def table(self) -> SeatTable:
        """Who sits where."""
        return self._seats

    def sit(self, guest: Guest, returning: bool, *, observing: bool = False, client: str = "") -> tuple[Choice, str]:
        """A seat for a request, and why its slot no longer holds its conversation ("" when it does).

        observing  the very bytes go, so that no slot can be asked for
        client     whose rules say whether slots are chosen
        """
        off = self._off(client)
        choice = choose(SeatTable() if observing or off else self._seats, guest)
        if observing or off:
            reason = "the server chooses: SEA001 is switched off" if off else choice.reason
            choice = replace(choice, table=self._seats, reason=reason)
        self._seats = choice.table
        latest, self._latest = self._latest, guest.lineage
        if choice.slot is None:
            between = returning and latest not in ("", guest.lineage)
            return choice, "another conversation was served in between" if between else ""
        last = self._last_in_slot.get(choice.slot)
        self._last_in_slot[choice.slot] = guest.lineage
        moved = ""
        if returning and last not in (None, guest.lineage):
            moved = f"slot {choice.slot} had been another conversation's in between"
        return choice, moved

    def doubts(self, guest: Guest, client: str) -> tuple[tuple[int, bool] | None, int | None]:
        """What has to be known of the server before a guest is seated: (`affinity.late`, an empty slot to try in
        whether the server saves what a slot loses).

        The latter is nobody's until `stop_trying`. None where there is no doubt, or no way to know.
        """
        if self._off(client):
            return None, None
        trial = doubtful(self._seats, guest) if self._trial is None else None
        if trial is not None:
            self._trial, self._seats = trial, tried(self._seats, trial)
        return late(self._seats, guest), trial

    def stop_trying(self) -> None:
        """Nothing is tried any more: what was is still in the slot."""
        if self._trial is not None:
            self._seats, self._trial = leave(self._seats, self._trial, 1), None

    def learn_saves(self, saves: bool) -> None:
        """Whether the server saves what a slot loses."""
        self._seats = replace(self._seats, saves=saves)

    def learn_clears(self, clears: bool) -> None:
        """Whether the server empties idle slots when another one begins to work."""
        self._seats = replace(self._seats, clears=clears)

    def _off(self, client: str) -> bool:
        return not self._books.book(client).has("SEA001")

    def block(self, cached: int) -> int:
        """Tokens that the server caches together, at the most: what all its counts so far are multiples of.

        vLLM on a CPU and OpenAI have 128, vLLM on a GPU 16, SGLang 1 to 64, llama.cpp 1.
        """
        self._block = gcd(self._block, cached)
        return self._block

    def lost(self) -> None:
        """A connection to the server could not be made, or broke, or its counters show it: it may have been started
        anew."""
        self.era += 1
        self._counts.clear()
        self._seats = emptied(self._seats)

    def count(self, model: str, usage: Usage, replica: str) -> None:
        """The server has answered a request; `replica` names the machine where that is told."""
        requests, tokens = self._counts.get(model, (0, 0))
        self._counts[model] = requests + 1, tokens + (usage.processed_tokens or 0)
        self._replicas.add(replica)

    def tally(self, model: str, slot: int | None, at: float) -> Tally | None:
        """What the server must have counted, for a request that was answered in `slot` and goes on from one that came
        at this time; None where nobody is to be asked: a provider, or several machines."""
        if self.manner.marks or len(self._replicas) > 1 or model not in self._counts:
            return None
        used = tuple(chair.slot for chair in self._seats.chairs if chair.tokens)
        return Tally(*self._counts[model], at, used, slot)

    def server(self, cached: int | None, *, returning: bool, era: int) -> Server:
        """What is known of the server; `cached` is what it says that it reused for a request of a known conversation
        (`returning`) or a new one, and `era` that of the request before."""
        if cached:
            self._reuses = True
        elif returning and cached == 0:
            self._nothings += 1
        reported = self._reuses or self._nothings < ENOUGH
        newborn = returning and era < self.era
        return Server(memory=self._memory, context=self.context, reported=reported, newborn=newborn)

    def stand_up(self, slot: int | None, usage: Usage = NOTHING_TOLD) -> None:
        """A request in `slot` is over; `usage` is what the server tells of it."""
        tokens = 0 if usage.prompt_tokens is None else usage.prompt_tokens + (usage.output_tokens or 0)
        self._seats = leave(self._seats, slot, tokens)


def _terms(dialect: Dialect, rules: Books, manner: Manner) -> Terms:
    if manner.observe and not dialect.same_protocol:
        # What has to be translated cannot go as it is: it is translated and nothing more.
        return Terms(dialect, RuleBook(), replace(manner, observe=False, archive=False))
    if manner.observe:
        return Terms(dialect, RuleBook(), manner, rules)
    return Terms(dialect, rules, manner)
