"""What happens to a request while it lives: its life takes one event after the other, or hears that none came.

A queue with a time limit for each look into it, made for this alone: `asyncio.Queue` under `asyncio.timeout` takes
longer for an event than to translate what is in it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")
LIMIT: Final = 256
"""Pieces of an answer that may wait for a slow client before the server is slowed down too."""


class Inbox(Generic[T]):
    """One reader, several writers, in one loop."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._waiting: deque[T] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put_now(self, event: T) -> None:
        """Put an event in, however many wait."""
        self._waiting.append(event)
        _wake(self._reader)

    async def put(self, event: T) -> None:
        """Put an event in as soon as there is room for it."""
        while len(self._waiting) >= self._limit:
            turn = asyncio.get_running_loop().create_future()
            self._writers.append(turn)
            await turn
        self.put_now(event)

    async def get(self, seconds: float) -> T | None:
        """The next event; None when none has come after `seconds`."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            reader = self._reader = loop.create_future()
            timer = loop.call_later(seconds, _wake, reader)
            try:
                await reader
            finally:
                timer.cancel()
                self._reader = None
            if not self._waiting:
                return None
        event = self._waiting.popleft()
        while self._writers and not _wake(self._writers.popleft()):
            pass
        return event


def _wake(sleeper: asyncio.Future[None] | None) -> bool:
    if sleeper is None or sleeper.done():
        return False
    sleeper.set_result(None)
    return True
