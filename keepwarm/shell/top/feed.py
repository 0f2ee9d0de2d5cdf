"""Where pictures come from: the ledger, read in a thread of its own, and a gateway, listened to while it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec

from keepwarm.codec.frames import SseDecoder
from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.views.alerts import Alert, News, State, alerts
from keepwarm.views.answers import Live
from keepwarm.views.top.head import Gateway
from keepwarm.views.top.live import read_live, step
from keepwarm.views.top.picture import Asked, Detail, Picture, gather, look

LOOK_AGAIN_SECONDS: Final = 5.0
"""After so long the ledger is read although nothing was written: the period has moved on."""
RETRY_SECONDS: Final = 2.0
"""Between two attempts to reach a gateway that does not answer."""
_ANSWER_SECONDS: Final = 3.0
_SILENCE_SECONDS: Final = 30.0
"""A stream on which nothing comes for so long is dead: the gateway sends a comment every ten."""
_NEWS: Final = 200
T = TypeVar("T")


class LedgerFeed:
    """Pictures of a ledger that another process writes. All reading happens in one thread.

    clock  tells Unix seconds
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        self._thread = ThreadPoolExecutor(1, "keepwarm-top")
        self._query: Query | None = None
        self._before: tuple[int, Asked] | None = None
        self._read_at = 0.0
        self._seen: int | None = None
        self._state = State()

    async def picture(self, asked: Asked) -> tuple[Picture, tuple[Alert, ...]] | None:
        """What is to be seen, and what is new to be told; None when it is what was seen before."""
        return await self._in_thread(lambda: self._picture(asked, self.clock()))

    async def detail(self, record_id: str) -> Detail | None:
        """One request with what belongs to it; None when it cannot be read."""
        return await self._in_thread(lambda: self._detail(record_id))

    async def close(self) -> None:
        """Closes the ledger."""
        await self._in_thread(self._forget)
        self._thread.shutdown(wait=False)

    async def _in_thread(self, read: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    def _picture(self, asked: Asked, now: float) -> tuple[Picture, tuple[Alert, ...]] | None:
        try:
            query = self._open()
            key = (query.change(), asked)
            if key == self._before and now - self._read_at < LOOK_AGAIN_SECONDS:
                return None
            self._before, self._read_at = key, now
            return gather(query, asked, now), self._alerts(query)
        except LedgerError as error:  # it may be there the next time
            self._forget()
            self._before = None
            return Picture(now, asked.period, trouble=str(error)), ()

    def _alerts(self, query: Query) -> tuple[Alert, ...]:
        """What the requests since the last look give rise to; those from before the start are only taken note of."""
        if self._seen is None:
            causes = query.totals().lost_by_cause
            self._state = State(causes=frozenset(code for code, _ in causes))
            self._seen = query.end()
            return ()
        news = query.follow(self._seen, limit=_NEWS)
        self._seen = news.seen
        told = []
        for record in news.records:
            sums = query.session_sums(record.session or record.lineage)
            if sums is not None:
                told.append(News(record, sums.sums))
        self._state, found = alerts(told, self._state)
        return found

    def _detail(self, record_id: str) -> Detail | None:
        try:
            return look(self._open(), record_id)
        except LedgerError:
            return None

    def _open(self) -> Query:
        if self._query is None:
            self._query = Query(self.path)
        return self._query

    def _forget(self) -> None:
        if self._query is not None:
            self._query.close()
            self._query = None


class GatewayFeed:
    """What a gateway says of the moment, as long as one answers.

    url  of the gateway
    key  what it wants to be shown; "" for none
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"x-api-key": key} if key else {}

    async def once(self) -> Gateway:
        """What it says now."""
        try:
            async with self._session() as session:
                return Gateway(self.url, await self._live(session))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.MsgspecError) as error:
            return Gateway(self.url, trouble=_trouble(error))

    async def follow(self) -> AsyncGenerator[Gateway, None]:
        """What it says, again and again: at once, with each of its events, and when it goes away or comes back."""
        while True:
            try:
                async with self._session() as session:
                    live = await self._live(session)
                    yield Gateway(self.url, live)
                    async for said in self._events(session, live):
                        yield Gateway(self.url, said)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, msgspec.MsgspecError) as error:
                yield Gateway(self.url, trouble=_trouble(error))
            await asyncio.sleep(RETRY_SECONDS)

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=None, connect=_ANSWER_SECONDS, sock_read=_SILENCE_SECONDS)
        return aiohttp.ClientSession(headers=self._headers, timeout=timeout)

    async def _live(self, session: aiohttp.ClientSession) -> Live:
        async with asyncio.timeout(_ANSWER_SECONDS), session.get(f"{self.url}/api/live") as response:
            if response.status != 200:
                raise _Refused(response.status)
            return read_live(await response.read())

    async def _events(self, session: aiohttp.ClientSession, live: Live) -> AsyncIterator[Live]:
        decoder = SseDecoder()
        async with session.get(f"{self.url}/api/events", headers={"accept": "text/event-stream"}) as response:
            if response.status != 200:
                raise _Refused(response.status)
            async for chunk in response.content.iter_any():
                for frame in decoder.feed(chunk):
                    if frame.event == "live":
                        live = read_live(frame.data)
                    elif frame.event == "progress":
                        live = step(live, frame.data)
                    yield live


class _Refused(ValueError):
    """An answer that is no 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answers {status}")
        self.status = status


def _trouble(error: Exception) -> str:
    if isinstance(error, _Refused):
        if error.status in (401, 403):
            return f"it answers {error.status}: give its key in KEEPWARM_KEY or keepwarm.toml"
        return f"it answers {error.status} to /api/live: another program, or an older keepwarm"
    if isinstance(error, msgspec.MsgspecError):
        return "what answers there is no keepwarm gateway"
    return ""
