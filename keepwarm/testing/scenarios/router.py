"""A balancer in front of several servers: what a model router, or a pool of replicas, looks like from the gateway.

It says on each answer which of them it comes from, as balancers are often set up to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import aiohttp
import msgspec
from aiohttp import web

_HOP_BY_HOP: Final = frozenset(("connection", "content-length", "host", "keep-alive", "transfer-encoding"))
SERVED_BY: Final = "X-Served-By"
Choose: TypeAlias = Callable[[dict[str, Any], int], int]
"""(body of a completion, how many came before) -> the number of the server that gets it."""


class Router:
    """Passes completions to the server that `choose` names, and everything else to the first one."""

    def __init__(self, urls: Sequence[str], choose: Choose) -> None:
        self.went: list[int] = []
        """The server of each completion, in the order in which they came."""
        self.url = ""
        self._urls = tuple(urls)
        self._choose = choose
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        server = self._server(request.path, body)
        url = self._urls[server] + request.raw_path
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept | {SERVED_BY: f"replica-{server}"})
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    def _server(self, path: str, body: bytes) -> int:
        if path not in ("/v1/chat/completions", "/v1/messages"):
            return 0
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return 0
        if not fields.get("messages"):
            return 0
        self.went.append(self._choose(fields, len(self.went)))
        return self.went[-1]
