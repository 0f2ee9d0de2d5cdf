"""A balancer in front of several servers: what a model router, or a pool of replicas, looks like from the gateway.

It says on each answer which of them it comes from, as balancers are often set up to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.testing.passing import MAX_BODY, listening, pass_on, pool

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
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        async with contextlib.AsyncExitStack() as unless_ready:
            self._session = await unless_ready.enter_async_context(pool())
            self.url = await unless_ready.enter_async_context(listening(app))
            self._stack = unless_ready.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        server = self._server(request.path, await request.read())
        added = {SERVED_BY: f"replica-{server}"}
        return await pass_on(self._session, request, self._urls[server] + request.raw_path, added=added)

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
