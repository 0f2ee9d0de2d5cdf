"""Stands between a client and whatever it talks to, passes everything on, and keeps the bodies of its requests."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.testing.passing import MAX_BODY, listening, pass_on, pool

RECORDED: Final = frozenset(("/v1/messages", "/v1/chat/completions"))


class Recorder:
    """A relay on loopback: `url` is where the client goes."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        """What was posted to RECORDED, parsed, in the order of arrival."""
        self.headers: list[dict[str, str]] = []
        """The headers of those requests, names in lower case."""
        self.statuses: list[int] = []
        """How those requests were answered, in the order of the answers' beginnings."""
        self.claims: list[tuple[int, int]] = []
        """(prompt tokens, cached ones of them) as chat completions told the client, in the order of their ends."""
        self._stack = contextlib.AsyncExitStack()
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._relay)
        async with contextlib.AsyncExitStack() as unless_ready:
            self._http = await unless_ready.enter_async_context(pool())
            self.url = await unless_ready.enter_async_context(listening(app))
            self._stack = unless_ready.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        url = self.target + request.raw_path
        if request.path not in RECORDED:
            return await pass_on(self._http, request, url)
        self.bodies.append(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})

        def ended(status: int, told: bytes) -> None:
            if request.path == "/v1/chat/completions" and status == 200:
                self.claims += claimed(told)

        return await pass_on(self._http, request, url, begun=self.statuses.append, ended=ended)


def claimed(answer: bytes) -> list[tuple[int, int]]:
    """The counts in an answer to chat completions, a stream or not: (prompt tokens, cached ones); none, or one."""
    documents = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: {")] or [answer]
    for document in reversed(documents):
        usage = msgspec.json.decode(document, type=dict[str, Any]).get("usage")
        if usage:
            return [(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"])]
    return []
