"""The least that a gateway on aiohttp can do: take a request, hand its bytes on, hand the answer's bytes back.

python -m bench.relay UPSTREAM      prints its port
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import aiohttp
import uvloop
from aiohttp import web

_HOP: Final = frozenset(("host", "content-length", "transfer-encoding", "connection", "keep-alive"))


class Relay:
    """Everything that comes goes to one server."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self._upstream = upstream
        self._session = session

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One request and its answer."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = self._upstream + request.raw_path
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response


async def run(upstream: str) -> None:
    """Listen on a free port, print it, serve until the process is ended."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", Relay(upstream, session).serve)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1]))
