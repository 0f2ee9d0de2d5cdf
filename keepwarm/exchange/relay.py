"""The answer on its way: from the server's bytes to the client's, event by event.

A client of the server's own protocol gets the server's bytes as they come; any other gets them translated. Either
way the client hears something within a second and then every five: agents give up on a silent connection
(Claude Code after 300 s), and a long prefill is silent.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeAlias

from keepwarm.core.events import Event as Said
from keepwarm.core.events import Failed, Finished, Progress, TextDelta, ThinkingDelta, ToolStart, Usage, together
from keepwarm.exchange import headers as pass_on
from keepwarm.exchange.commands import (
    Answered,
    Arrived,
    Ask,
    Command,
    Ended,
    Event,
    Finish,
    Headers,
    HungUp,
    Lost,
    Open,
    Opened,
    Reply,
    Send,
    Start,
    Take,
    Taken,
    Tell,
    Tick,
    Wait,
)
from keepwarm.exchange.story import UNSET, Story
from keepwarm.rules.sea002 import replica_of
from keepwarm.upstream.api import Dialect, Outgoing, Reader
from keepwarm.upstream.chat_sieve import UsageSieve
from keepwarm.wire.api import Front, Writer

Steps: TypeAlias = Generator[Command, Event | None, None]
PATIENCE_SECONDS: Final = 1.0
"""How long a server may take to say yes or no before a streaming client is told yes: refusals are quick."""
PING_SECONDS: Final = 5.0
TELL_MS: Final = 2_000.0
"""How often a long prefill is told of in the log."""
WHOLE_AFTER_MS: Final = 60_000.0
"""When a client that does not stream gets its headers and then white space, which JSON allows in front."""

_TOKENS: Final = (TextDelta, ThinkingDelta, ToolStart)


class Gone(Exception):
    """The client hung up."""


class Passage:
    """One request's answer, from before it is asked for until it is over.

    silent  the client hears nothing but what the server says: for a server whose own word must be the first
    """

    def __init__(self, story: Story, dialect: Dialect, front: Front, *, silent: bool = False) -> None:
        assert story.parsed is not None
        options = story.parsed.options
        call = story.call.id
        self.over = False
        self.writer: Writer = front.writer(call, options, int(story.call.at), listening=dialect.same_protocol)
        """Knows the whole answer in the end."""
        self._story = story
        self._id = (front.id_header, call)
        self._dialect = dialect
        self._front = front
        self._stream = options.stream
        self._silent = silent
        self._as_it_is = dialect.same_protocol
        self._reader: Reader | None = None
        self._sieve: UsageSieve | None = None
        self._refused: Opened | None = None
        self._body: list[bytes] = []
        self._started = False
        self._boundary = True
        self._spoke = 0.0
        self._told = 0.0

    def run(self, outgoing: Outgoing) -> Steps:
        """Open the request and see its answer through."""
        self._sieve = UsageSieve() if outgoing.hides_usage else None
        yield Open(outgoing)
        while not self.over:
            yield from self._take((yield from self._next()))

    def take_slot(self, slot: int) -> Steps:
        """Wait until nobody else's request is at work in a slot."""
        yield Take(slot)
        while not isinstance((yield from self._next()), Taken):
            pass

    def ask(self, request: Outgoing) -> Generator[Command, Event | None, Answered]:
        """A small request beside the real one."""
        yield Ask(request)
        while True:
            event = yield from self._next()
            if isinstance(event, Answered):
                return event

    def _next(self) -> Generator[Command, Event | None, Event | None]:
        """The next event; the client is kept from giving up meanwhile. Raises Gone when it has."""
        event = yield Wait(PING_SECONDS if self._started else PATIENCE_SECONDS)
        if event is not None:
            self._story.now = event.at
        if isinstance(event, HungUp):
            raise Gone
        yield from self._keep_alive(isinstance(event, Tick))
        return event

    def _take(self, event: Event | None) -> Steps:
        """Everything that follows from one event."""
        match event:
            case Opened(status, headers, _, sent):
                self._story.overhead = sent
                self._story.replica = replica_of(headers)
                self._story.slotted = headers.get("server", "").startswith("llama.cpp")
                if status >= 400:
                    self._refused = event
                    # A balancer without its server, and llama.cpp while it loads a model.
                    self._story.lost = status in (502, 503)
                else:
                    yield from self._opened(status, headers)
            case Arrived(data):
                if self._refused is not None or self._reader is None:
                    self._body.append(data)
                else:
                    yield from self._arrived(self._reader, data)
            case Ended():
                yield from self._ended()
            case Lost() if self._refused is not None:
                yield from self._refuse(self._refused)
            case Lost(reason):
                self._story.lost = True
                yield from self._fail(Failed(0, reason, "unreachable"))
            case _:
                pass

    def _keep_alive(self, idle: bool) -> Steps:
        """Headers when the server takes its time, then something every five seconds: progress is not heard outside."""
        if self._silent or self._refused is not None or self.over:
            return
        now = self._story.now
        if self._stream:
            if idle:
                yield from self._start(200, (*pass_on.SSE, self._id))
            if self._started and self._boundary and now - self._spoke >= PING_SECONDS * 1000:
                yield from self._send(self.writer.ping())
        elif self._mine and now - max(self._spoke, WHOLE_AFTER_MS) >= PING_SECONDS * 1000:
            yield from self._start(200, (*pass_on.JSON, self._id))
            yield from self._send(b" ")

    @property
    def _mine(self) -> bool:
        """Whether the body that the client gets is written here, as far as it has come: not the server's own."""
        return not self._as_it_is or self._reader is None

    def _opened(self, status: int, headers: dict[str, str]) -> Steps:
        self._reader = self._dialect.reader(self._stream)
        if self._as_it_is:
            yield from self._start(status, pass_on.back(headers))
        elif self._stream:
            yield from self._start(200, (*pass_on.SSE, self._id))

    def _arrived(self, reader: Reader, data: bytes) -> Steps:
        if self._as_it_is:
            passing = data if self._sieve is None else self._sieve.feed(data)
            self._boundary = self._sieve is not None or data.endswith((b"\n\n", b"\r\n\r\n"))
            yield from self._send(passing)
        elif self._stream and self._story.first_byte == UNSET:
            # The first event goes before the others are read, though all of them come together.
            first, end, data = data.partition(b"\n\n")
            yield from self._say(reader.feed(first + end))
        if data and not self.over:
            yield from self._say(reader.feed(data))

    def _say(self, events: list[Said]) -> Steps:
        pieces: list[bytes] = []
        for event in together(events):
            if isinstance(event, Failed):
                if pieces:
                    yield from self._send(b"".join(pieces))
                yield from self._fail(event)
                return
            if isinstance(event, Progress) and self._story.now - self._told >= TELL_MS:
                self._told = self._story.now
                yield Tell(self._story.call.id, event)
            self._notice(event)
            if piece := self.writer.feed(event):
                pieces.append(piece)
        if pieces and not self._as_it_is:
            yield from self._send(b"".join(pieces))

    def _notice(self, event: Said) -> None:
        story = self._story
        if isinstance(event, Progress):
            story.progress = event
            story.usage = Usage(event.total, event.cached, prompt_ms=event.ms).over(story.usage)
        elif isinstance(event, Finished):
            story.usage = event.usage.over(story.usage)
        elif isinstance(event, _TOKENS) and story.first_token == UNSET:
            story.first_token = story.now

    def _ended(self) -> Steps:
        if self._refused is not None:
            yield from self._refuse(self._refused)
            return
        if self._reader is None:
            yield from self._fail(Failed(0, "the model server closed the connection without an answer", "unreachable"))
            return
        if self._sieve is not None:
            yield from self._send(self._sieve.finish())
        yield from self._say(self._reader.finish())
        if self.over:
            return
        self.over = True
        self._story.status = 200
        if self._as_it_is or self._stream:
            yield Finish()
        elif self._started:
            yield from self._send(self.writer.whole())
            yield Finish()
        else:
            body = self.writer.whole()
            self._count(body)
            yield Reply(200, (*pass_on.JSON, self._id), body)

    def _refuse(self, opened: Opened) -> Steps:
        """The server's refusal: its own bytes to a client of its protocol, else the same thing in the client's."""
        body = b"".join(self._body)
        failed = self._dialect.failure(opened.status, opened.headers, body)
        if self._as_it_is and not self._started:
            self.over = True
            self._story.fail(failed.kind, failed.message)
            self._story.status = opened.status
            self._count(body)
            yield Reply(opened.status, pass_on.back(opened.headers), body)
        else:
            yield from self._fail(failed)

    def _fail(self, failed: Failed) -> Steps:
        self.over = True
        story = self._story
        story.usage = failed.usage.over(story.usage)
        story.fail(failed.kind, failed.message)
        if not self._started:
            story.status, body = self._front.error(failed.status or 502, failed.kind, failed.message, story.call.id)
            retry = (("retry-after", failed.retry_after),) if failed.retry_after else ()
            self._count(body)
            yield Reply(story.status, (*pass_on.JSON, self._id, *retry), body)
            return
        story.status = 200
        if self._stream:
            if not (self._as_it_is and self._reader is not None and failed.kind != "unreachable"):
                yield from self._send(self.writer.fail(failed))
        elif self._mine:  # behind the server's own bytes nothing is written
            _, body = self._front.error(failed.status or 502, failed.kind, failed.message, story.call.id)
            yield from self._send(body)
        yield Finish()

    def _start(self, status: int, headers: Headers) -> Steps:
        if not self._started:
            self._started = True
            yield Start(status, headers)

    def _send(self, data: bytes) -> Steps:
        if data:
            self._spoke = self._story.now
            self._count(data)
            yield Send(data)

    def _count(self, data: bytes) -> None:
        self._story.answered_bytes += len(data)
        if self._story.first_byte == UNSET:
            self._story.first_byte = self._story.now
