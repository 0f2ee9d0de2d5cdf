"""Exchanges of a log, played through the very lives that a request of today lives, with the answers of the log.

Nothing is rewritten: each life is one of a server that is observed only, so that every rule, verdict and figure is what
the gateway would have said of the same traffic. A life begins when its request went out and ends when its answer was
whole, and those that overlapped in the log overlap here: what stands for one request is what had been answered then.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator, Iterator
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.exchange.commands import (
    Arrived,
    Command,
    Ended,
    Event,
    HungUp,
    Opened,
    Reply,
    Wait,
    Write,
)
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.life import Life
from keepwarm.exchange.routing import Ways
from keepwarm.ledger.records import Record, Recording
from keepwarm.logs.api import NO_ANSWER, Exchange
from keepwarm.rules.mrk003 import reads_marks
from keepwarm.rules.shelf import Books
from keepwarm.session.journal import Journal
from keepwarm.upstream.api import Traits
from keepwarm.upstream.logged import Logged, heard
from keepwarm.upstream.registry import dialects
from keepwarm.wire.api import Front
from keepwarm.wire.fronts import FRONTS

_ENDINGS: Final = {"/v1/messages": "anthropic", "/chat/completions": "chat"}
"""How the path of a request ends, and in which protocol it is."""


class Lived(msgspec.Struct, frozen=True):
    """What came of one exchange."""

    id: str
    record: Record | None = None
    """None where the request is none of its protocol."""
    recording: Recording | None = None
    refusal: str = ""
    """Why there is no record."""


_Steps: TypeAlias = Generator[Command, Event | None, None]


class _Running(msgspec.Struct, frozen=True):
    """A life that waits for its answer."""

    id: str
    exchange: Exchange
    steps: _Steps
    events: deque[Event]


class Replay:
    """Plays exchanges, which must come in the order of their beginnings.

    rules   as of the gateway: they name causes, and change nothing
    record  whether the texts of prompts are kept
    """

    def __init__(self, rules: Books, *, record: bool = False) -> None:
        self._rules = rules
        self._record = record
        self._keepers: dict[tuple[str, str], Keeper] = {}
        self._journals: dict[str, Journal] = {}
        self._running: list[tuple[float, int, _Running]] = []
        self._count = 0

    def play(self, record_id: str, exchange: Exchange) -> Iterator[Lived]:
        """Begin one more; what of those before it was over by then."""
        while self._running and self._running[0][0] <= exchange.at:
            yield _ended(heapq.heappop(self._running)[2])
        begun = self._begin(record_id, exchange)
        if isinstance(begun, Lived):
            yield begun
        else:
            self._count += 1
            heapq.heappush(self._running, (exchange.ends, self._count, begun))

    def finish(self) -> Iterator[Lived]:
        """Those that are still running."""
        while self._running:
            yield _ended(heapq.heappop(self._running)[2])

    def _begin(self, record_id: str, exchange: Exchange) -> _Running | Lived:
        front = front_of(exchange)
        assert front is not None, "whoever plays a log leaves out what `unplayable` names"
        keeper = self._keeper(front, exchange)
        life = Life(Call(record_id, exchange.at, exchange.headers, exchange.body), keeper, front)
        steps = life.run()
        command = next(steps)
        while not isinstance(command, Wait):
            if isinstance(command, Reply):  # before it was sent: it is no request of this protocol
                return Lived(record_id, refusal="the request is not what its protocol asks for")
            command = steps.send(None)
        assert life.story.parsed is not None
        events = _events(keeper, front, life.story.parsed.options.stream, exchange)
        return _Running(record_id, exchange, steps, deque(events))

    def _keeper(self, front: Front, exchange: Exchange) -> Keeper:
        """What is known of the server of an exchange, as far as its log tells."""
        kind, host = _kind(front, exchange), exchange.host
        if (host, kind) not in self._keepers:
            manner = Manner(
                observe=True, record=self._record, seats=False, marks=reads_marks(host), ways=Ways(host), archive=False
            )
            spoken = {name: Logged(one) for name, one in dialects(Traits(kind)).items()}
            journal = self._journals.setdefault(host, Journal())
            self._keepers[host, kind] = Keeper(kind, spoken, self._rules, journal, manner)
        return self._keepers[host, kind]


def front_of(exchange: Exchange) -> Front | None:
    """The protocol of a request, by its path; None for any other."""
    path = exchange.path.rstrip("/")
    return next((FRONTS[name] for ending, name in _ENDINGS.items() if path.endswith(ending)), None)


def unplayable(exchange: Exchange) -> str:
    """Why an exchange is left out; "" for one that can be played."""
    if front_of(exchange) is None or exchange.method.upper() != "POST":
        place = exchange.path.rstrip("/").rsplit("/", 1)[-1]
        return f"other paths ({place[:40]})" if place.replace("_", "").isalnum() else "other paths"
    return "" if exchange.body.strip() else "the request's body is not in the log"


def _kind(front: Front, exchange: Exchange) -> str:
    if front.name == "anthropic":
        return "anthropic"
    return "llamacpp" if exchange.answer_headers.get("server", "").startswith("llama.cpp") else "chat"


def _events(keeper: Keeper, front: Front, stream: bool, exchange: Exchange) -> Iterator[Event]:
    """What happens to a life of which the log tells; a time that it does not tell is 0, and no time in the record."""
    first, total = exchange.first_byte_ms or 0.0, exchange.total_ms or 0.0
    if exchange.status == NO_ANSWER:
        yield HungUp(total)
        return
    status = exchange.status or 200
    yield Opened(status, dict(exchange.answer_headers), first)
    if exchange.answer:
        yield Arrived(exchange.answer, exchange.first_token_ms or 0.0)
    whole = status >= 400 or heard(keeper.terms(front.name).dialect, stream, exchange.answer) != "cut"
    yield Ended(total) if whole else HungUp(total)


def _ended(running: _Running) -> Lived:
    event: Event | None = running.events.popleft()
    while True:
        command = running.steps.send(event)
        event = None
        if isinstance(command, Wait):
            event = running.events.popleft()
        elif isinstance(command, Write):
            return Lived(running.id, _timed(command.record, running.exchange), command.recording)


def _timed(record: Record, exchange: Exchange) -> Record:
    """The record with the times of the log, and without those that it does not tell."""
    return replace(
        record,
        overhead_ms=None,
        first_byte_ms=exchange.first_byte_ms,
        first_token_ms=exchange.first_token_ms,
        total_ms=exchange.total_ms,
    )
