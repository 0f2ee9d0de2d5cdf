"""A slot of the server, held by the one request that is at work in it.

The server would queue a second one itself; but what prepares a slot for a request must not come in between.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Slot:
    """Who asks first has it first."""

    def __init__(self) -> None:
        self._held = False
        self._queue: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        """True when it was free and is the caller's now: the usual case, for which nothing needs to wait."""
        if self._held:
            return False
        self._held = True
        return True

    async def take(self) -> None:
        """Returns when it is the caller's."""
        if self.take_now():
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had just been handed over
                self.release()
            raise

    def release(self) -> None:
        """To the next in the queue; it is not free for anybody else meanwhile."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._held = False
