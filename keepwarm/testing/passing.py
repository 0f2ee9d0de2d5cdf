"""What stands in the line between a client and a server in a test: it listens, and hands on what it does not answer.

async with pool() as session, listening(app) as url:
    a handler of app returns `await pass_on(session, request, server_url + request.raw_path)`
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import aiohttp
from aiohttp import web

MAX_BODY: Final = 1 << 30
"""Bytes of a request, for `web.Application(client_max_size=...)`."""
_HOP_BY_HOP: Final = frozenset(
    ("connection", "content-length", "host", "keep-alive", "transfer-encoding", "te", "upgrade")
)


def pool() -> aiohttp.ClientSession:
    """A session that waits as long as it takes and reads nothing in the answers; close it.

    llama.cpp promises to keep the connection of a stream, and closes it when the stream ends: so none is kept.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
    )


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """`http://HOST:PORT` of `app`, which listens there; a caller that hangs up cancels its handler.

    port  0 = a free one. Raises OSError when it is taken.
    """
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        name, number = runner.addresses[0][:2]
        yield f"http://{name}:{number}"
    finally:
        await runner.cleanup()


def onward(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that go on: all but those of the one connection."""
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


async def pass_on(
    session: aiohttp.ClientSession,
    request: web.Request,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    added: Mapping[str, str] | None = None,
    begun: Callable[[int], None] | None = None,
    ended: Callable[[int, bytes], None] | None = None,
) -> web.StreamResponse:
    """The answer of `url`, as it comes, to the caller. Raises aiohttp.ClientError.

    body, headers  those to send; None = the caller's
    added    what the answer's get besides
    begun    called with the status
    ended    called with the status and the whole body, just before the caller has all of it
    """
    async with session.request(
        request.method,
        url,
        data=(await request.read() if body is None else body) or None,
        headers=onward(request.headers) if headers is None else headers,
        allow_redirects=False,
    ) as answer:
        if begun is not None:
            begun(answer.status)
        kept = onward(answer.headers) | dict(added or {})
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept)
        await response.prepare(request)
        pieces: list[bytes] = []
        async for piece in answer.content.iter_any():
            if ended is not None:
                pieces.append(piece)
            await response.write(piece)
        if ended is not None:
            ended(answer.status, b"".join(pieces))
        await response.write_eof()
        return response
