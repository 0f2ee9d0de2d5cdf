"""The client: sends bodies made beforehand, one after another on each connection, and takes the times.

It speaks HTTP by hand; what it costs is the same for whatever is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

from bench.conversations import Conversation

_END: Final = b"0\r\n\r\n"


class Sample(NamedTuple):
    """One request; milliseconds from its first byte sent."""

    first: float
    """To the first byte of the answer's body."""
    whole: float
    """To its end."""


class Play(NamedTuple):
    """What one server did with a set of requests."""

    samples: list[Sample]
    seconds: float
    """From the first request to the end of the last answer."""


def request(path: str, session: str, body: bytes) -> bytes:
    """An HTTP request with the headers that Claude Code sends."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
        f"User-Agent: claude-cli/2.1.114 (external, cli)\r\nX-Api-Key: dummy\r\nAnthropic-Version: 2023-06-01\r\n"
        f"X-App: cli\r\nX-Claude-Code-Session-Id: {session}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def play(
    port: int, path: str, rows: Sequence[Sequence[tuple[str, bytes]]], concurrent: int, pause: float = 0.0
) -> Play:
    """Send rows of (session, body), each row in its order, `concurrent` rows at a time, each on a connection.

    pause  seconds between an answer and the next request
    """
    waiting = iter([[request(path, session, body) for session, body in row] for row in rows])
    samples: list[Sample] = []
    began = time.perf_counter()
    await asyncio.gather(*(_work(port, waiting, samples, pause) for _ in range(concurrent)))
    return Play(samples, time.perf_counter() - began)


def turns(conversations: Iterable[Conversation], count: int) -> list[list[tuple[str, bytes]]]:
    """The next `count` requests of each conversation, as `play` takes them."""
    rows = []
    for conversation in conversations:
        row = []
        for _ in range(count):
            conversation.grow()
            row.append((conversation.session, conversation.body()))
        rows.append(row)
    return rows


async def _work(port: int, waiting: Iterable[Sequence[bytes]], samples: list[Sample], pause: float) -> None:
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
    try:
        for row in waiting:
            for data in row:
                samples.append(await connection.ask(data))
                if pause:
                    await asyncio.sleep(pause)  # the pause is what is wanted: a tool that runs
    finally:
        transport.close()


class _Connection(asyncio.Protocol):
    """One connection to the server."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Sample] | None = None
        self._head: bytes | None = b""
        self._tail = b""
        self._first = self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, data: bytes) -> asyncio.Future[Sample]:
        """Send a request; the sample comes when its answer is whole."""
        self._head, self._tail = b"", b""
        self._answer = self._loop.create_future()
        self._began = time.perf_counter()
        self._transport.write(data)
        return self._answer

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._head is not None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0 or end + 4 == len(self._head):
                return
            if not self._head.startswith(b"HTTP/1.1 200 "):
                self._end(RuntimeError(f"the server refused: {self._head[:2000]!r}"))
                return
            self._first = now
            data, self._head = self._head[end + 4 :], None
        self._tail = (self._tail + data)[-len(_END) :]
        if self._tail == _END:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        if error is not None:
            answer.set_exception(error)
            return
        began, now = self._began, time.perf_counter()
        answer.set_result(Sample((self._first - began) * 1000.0, (now - began) * 1000.0))
