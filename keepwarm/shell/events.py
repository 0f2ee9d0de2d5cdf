"""`/api/events`: what happens, as server-sent events to whoever listens.

A listener that reads too slowly is let go, and its browser comes back by itself and says which request it saw last:
so it gets what it missed from the ledger. The traffic waits for no listener.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web

from keepwarm.ledger.records import Record
from keepwarm.shell.guard import HEADERS, Refused
from keepwarm.shell.live import facts
from keepwarm.shell.watch import Batch
from keepwarm.views.alerts import Alert
from keepwarm.views.answers import Live, LiveProgress

WAITING: Final = 512
"""Events that may wait for a listener."""
COMMENT_SECONDS: Final = 10.0
"""How often something is said where nothing happens."""
LISTENERS: Final = 64
"""At one time."""


class Events:
    """The listeners of one gateway.

    live  what happens at this moment; it is told with each batch
    """

    def __init__(self, live: Callable[[], Live]) -> None:
        self._live = live
        self._listeners: set[_Listener] = set()
        self._told = b""

    def __len__(self) -> int:
        return len(self._listeners)

    def take(self, batch: Batch) -> None:
        """Tell what has happened."""
        if not self._listeners:
            return
        for record in batch.records:
            self._tell(_event("record", record, record.id))
        for record in batch.amended:
            self._tell(_event("amended", record))
        for call, progress in batch.progress.items():
            if (done := facts(progress)) is not None:
                self._tell(_event("progress", LiveProgress(call, done)))
        live = _event("live", self._live())
        if live != self._told:
            self._told = live
            self._tell(live)

    def alert(self, alert: Alert) -> None:
        """Tell of an alert."""
        self._tell(_event("alert", alert))

    def close(self) -> None:
        """Let every listener go: the gateway stops."""
        for listener in tuple(self._listeners):
            listener.let_go()

    async def serve(self, request: web.Request, missed: list[Record]) -> web.StreamResponse:
        """Tell a listener what happens until it goes.

        missed  requests that it has to be told of first
        """
        if len(self._listeners) >= LISTENERS:
            raise Refused(503, f"{LISTENERS} listeners are here already", "close some of the pages that listen")
        response = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        listener = _Listener()
        listener.put(_event("live", self._live()))
        for record in missed:
            listener.put(_event("record", record, record.id))
        self._listeners.add(listener)
        try:
            while not listener.gone:
                await response.write(await listener.next())
        except (ConnectionError, asyncio.CancelledError):
            pass  # it has gone
        finally:
            self._listeners.discard(listener)
        return response

    def _tell(self, event: bytes) -> None:
        for listener in tuple(self._listeners):
            listener.put(event)


class _Listener:
    def __init__(self) -> None:
        self.gone = False
        self._waiting: list[bytes] = []
        self._came = asyncio.Event()

    def put(self, event: bytes) -> None:
        if len(self._waiting) >= WAITING:
            self.let_go()
        else:
            self._waiting.append(event)
            self._came.set()

    def let_go(self) -> None:
        self.gone = True
        self._waiting.clear()
        self._came.set()

    async def next(self) -> bytes:
        """What to write next: events, or a comment where there were none for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COMMENT_SECONDS):
                await self._came.wait()
        self._came.clear()
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting) or b": nothing new\n\n"


def _event(name: str, data: object, place: str = "") -> bytes:
    head = f"id: {place}\n" if place else ""
    return f"event: {name}\n{head}data: ".encode() + msgspec.json.encode(data) + b"\n\n"
