"""Perform one life: its commands on real sockets, its events from them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from typing import ParamSpec, Protocol

import aiohttp
from aiohttp import web

from keepwarm.core.events import Failed, Progress
from keepwarm.core.secret import Address, Parcel
from keepwarm.exchange import machine
from keepwarm.exchange.commands import (
    Answered,
    Arrived,
    Ask,
    Close,
    Command,
    Ended,
    Event,
    Fetch,
    Fetched,
    Finish,
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
    Write,
)
from keepwarm.exchange.life import Life, refusal
from keepwarm.ledger.records import Record, Recording
from keepwarm.session.archive import Conversation
from keepwarm.shell.client import Upstream
from keepwarm.shell.inbox import Inbox
from keepwarm.shell.slot import Slot
from keepwarm.upstream.api import Outgoing
from keepwarm.wire.api import Front

log = logging.getLogger("keepwarm")
P = ParamSpec("P")
_UNSENT = 64 * 1024
"""Bytes that may wait to go to the client while there is more to be read from the server."""


class _Answer(web.StreamResponse):
    """Its headers wait for the first bytes, as those of aiohttp's own `web.Response` do."""

    _send_headers_immediately = False


class House(Protocol):
    """What a life is performed in, besides its own sockets."""

    @property
    def upstream(self) -> Upstream:
        """The server."""

    def write(self, record: Record, recording: Recording | None = None, parcel: Parcel | None = None) -> None:
        """Put a record, and what stands since, into the ledger."""

    def tell(self, call: str, progress: Progress) -> None:
        """Show how far a prefill has come."""

    async def fetch(self, address: Address, others: bool) -> tuple[Conversation, ...]:
        """What the ledger keeps of a conversation."""


class Drive:
    """One life being performed."""

    def __init__(self, life: Life, request: web.Request, house: House, came: float) -> None:
        self._life = life
        self._request = request
        self._house = house
        self._upstream = house.upstream
        self._came = came
        self._inbox: Inbox[Event | Exception] = Inbox()
        self._tasks: list[asyncio.Task[None]] = []
        self._response: web.StreamResponse | None = None
        self._unsent: list[bytes] | None = None
        """What waits to go to the client; None when not even the headers do."""
        self._begun = False
        """Whether any of the answer has gone."""
        self._state = machine.State.IDLE
        self._written = False
        self._held: Slot | None = None

    async def run(self, front: Front) -> web.StreamResponse:
        """The response, complete. Cancelled when the client hangs up; the record is written all the same."""
        steps = self._life.run()
        try:
            await self._perform(steps)
        except (asyncio.CancelledError, ConnectionResetError):
            self._hang_up(steps)
            raise
        except Exception:  # the client learns of it by a 500 in its protocol, the person by the log
            log.exception("a request broke: please report this")
            await self._break(front)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._held is not None:
                self._held.release()
        assert self._response is not None
        return self._response

    async def _perform(self, steps: Generator[Command, Event | None, None]) -> None:
        event: Event | None = None
        while True:
            try:
                command = steps.send(event)
            except StopIteration:
                return
            self._state = machine.step(self._state, command)
            event = await self._next(command.seconds) if isinstance(command, Wait) else None
            if not isinstance(command, Wait):
                await self._do(command)

    async def _do(self, command: Command) -> None:
        match command:
            case Send(data):
                if self._unsent is None:
                    self._unsent = []
                self._unsent.append(data)
                if not self._begun or sum(map(len, self._unsent)) > _UNSENT:
                    await self._flush()
            case Open(request):
                self._beside(self._pull, request, self._now())
            case Take(number):
                slot = self._upstream.slot(number)
                if slot.take_now():
                    self._taken(slot)
                else:
                    self._beside(self._queue_for, slot)
            case Ask(request):
                self._beside(self._question, request)
            case Fetch(address, others):
                self._beside(self._look_up, address, others)
            case Start(status, headers):
                self._response = _Answer(status=status, headers=dict(headers))
                await self._response.prepare(self._request)
                self._unsent = []
            case Reply(status, headers, body):
                self._response = web.Response(status=status, headers=dict(headers), body=body)
            case Finish():
                assert self._response is not None
                unsent, self._unsent = self._unsent, None
                await self._response.write_eof(b"".join(unsent or ()))
            case _:
                self._do_now(command)

    async def _flush(self) -> None:
        """What waits for the client goes out. The first of an answer does at once, with the headers; the rest when
        there is nothing else to do, for each piece by itself would cost a call of the kernel."""
        if self._unsent is not None and self._response is not None:
            unsent, self._unsent = self._unsent, None
            self._begun = self._begun or bool(unsent)
            await self._response.write(b"".join(unsent))

    def _do_now(self, command: Command) -> None:
        """The commands that need no waiting, so that a hang-up can still be carried out."""
        if isinstance(command, Close):
            for task in self._tasks:
                task.cancel()
        elif isinstance(command, Tell):
            self._house.tell(command.call, command.progress)
        elif isinstance(command, Write):
            self._written = True
            self._house.write(command.record, command.recording, command.parcel)

    def _hang_up(self, steps: Generator[Command, Event | None, None]) -> None:
        """Tell the life that its client is gone, and do what it still wants done."""
        while not self._written:
            try:
                self._do_now(steps.send(HungUp(self._now())))
            except StopIteration:
                break
            except (TypeError, ValueError):  # not begun, or in the middle of a step: its notes are all there is
                break
        if not self._written:
            self._life.story.ending = "hung_up"
            self._written = True
            self._house.write(*self._life.close())

    async def _break(self, front: Front) -> None:
        self._life.story.fail("internal", "keepwarm itself failed; its log says where")
        failed = Failed(500, "keepwarm itself failed on this request; its log says where", "server")
        if self._response is None:
            reply = refusal(front, failed, self._life.story.call.id)
            self._response = web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)
        elif (
            self._request.transport is not None
        ):  # the answer has begun: break it off, so that nobody takes it for whole
            self._request.transport.abort()
        self._life.story.status = 500
        if not self._written:
            self._written = True
            self._house.write(*self._life.close())

    async def _next(self, seconds: float) -> Event:
        if not self._inbox:
            await self._flush()
        event = await self._inbox.get(seconds)
        if event is None:
            return Tick(self._now())
        if isinstance(event, Exception):
            raise event
        return event

    def _beside(self, work: Callable[P, Coroutine[None, None, None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Do `work` while the life goes on."""

        async def run() -> None:
            try:
                await work(*args, **kwargs)
            except Exception as error:  # the life's own task learns of it: nobody waits for what will never come
                await self._inbox.put(error)

        self._tasks.append(asyncio.create_task(run()))

    async def _pull(self, request: Outgoing, sent: float) -> None:
        """The server's answer into the inbox."""
        put = self._inbox.put
        try:
            async with await self._upstream.begin(request) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                await put(Opened(response.status, headers, self._now(), sent))
                async for data in response.content.iter_any():
                    await put(Arrived(data, self._now()))
                await put(Ended(self._now()))
        except aiohttp.ClientConnectorError as error:
            self._upstream.forget()
            reason = error.strerror or str(error)
            await put(Lost(f"the model server at {self._upstream.url} cannot be reached: {reason}", self._now()))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._upstream.forget()
            reason = str(error) or type(error).__name__
            await put(Lost(f"the connection to the model server broke: {reason}", self._now()))

    async def _queue_for(self, slot: Slot) -> None:
        await slot.take()
        self._taken(slot)

    def _taken(self, slot: Slot) -> None:
        """The slot is held until the life is over."""
        self._held = slot
        self._inbox.put_now(Taken(self._now()))

    async def _look_up(self, address: Address, others: bool) -> None:
        found = await self._house.fetch(address, others)
        await self._inbox.put(Fetched(found, self._now()))

    async def _question(self, request: Outgoing) -> None:
        status, body = await self._upstream.ask(request)
        await self._inbox.put(Answered(status, body, self._now()))

    def _now(self) -> float:
        return (perf_counter() - self._came) * 1000.0
