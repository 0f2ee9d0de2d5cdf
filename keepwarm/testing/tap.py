"""A tap on the line to a model server: everything passes as it is, and what was asked for is kept.

    async with Tap("http://127.0.0.1:8080") as tap:
        point a client or a gateway at tap.url; tap.heard holds each completion

It stands on both ways of the experiment alike, so what it costs (under a millisecond) is the same on both.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.testing.passing import MAX_BODY, listening, onward, pass_on, pool

_PATHS: Final = ("/v1/chat/completions", "/v1/messages")


class Heard(msgspec.Struct, frozen=True):
    """One completion as it went to the server, and the server's own counts."""

    path: str
    body: bytes
    status: int
    prompt: int | None = None
    """Tokens of the prompt."""
    cached: int | None = None
    """Of these, the reused ones; None where the server does not say."""


class Tap:
    """The tap; an async context manager."""

    def __init__(self, url: str, key: str = "") -> None:
        """url  the model server
        key  its API key, put in the place of whatever the caller shows; "" = the caller's goes on
        """
        self._server, self._key = url.rstrip("/").removesuffix("/v1"), key
        self.url = ""
        """`http://HOST:PORT` once it has started."""
        self.heard: list[Heard] = []
        """Every completion that has ended, in the order of their ends."""
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._pass)
        async with contextlib.AsyncExitStack() as unless_ready:
            self._session = await unless_ready.enter_async_context(pool())
            self.url = await unless_ready.enter_async_context(listening(app))
            self._stack = unless_ready.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = onward(request.headers)
        if self._key:
            headers = {n: v for n, v in headers.items() if n.lower() not in ("authorization", "x-api-key")}
            headers["authorization"] = f"Bearer {self._key}"

        def heard(status: int, said: bytes) -> None:
            self.heard.append(Heard(request.path, body, status, *counts(said)))

        listens = request.method == "POST" and request.path in _PATHS
        url = self._server + request.raw_path
        try:
            return await pass_on(self._session, request, url, headers=headers, ended=heard if listens else None)
        except aiohttp.ClientConnectionError as error:
            raise web.HTTPBadGateway(text=f"the model server went away: {error}") from error


def counts(said: bytes) -> tuple[int | None, int | None]:
    """(tokens of the prompt, reused ones) from an answer in either protocol, streamed or whole."""
    prompt: int | None = None
    cached: int | None = None
    lines = [line[5:] for line in said.splitlines() if line.startswith(b"data:")] or [said]
    for line in lines:
        try:
            event = msgspec.json.decode(line, type=dict[str, Any])
        except UNREADABLE:
            continue
        message = event.get("message")
        for holder in (event, message if isinstance(message, dict) else {}):
            usage = holder.get("usage")
            if isinstance(usage, dict):
                prompt, cached = _more(usage, prompt, cached)
    return prompt, cached


def _more(usage: dict[str, Any], prompt: int | None, cached: int | None) -> tuple[int | None, int | None]:
    """What is known with one more word on the usage. In the Messages API the prompt's tokens are told in parts."""
    if "input_tokens" in usage:
        parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        whole = sum(int(usage.get(part) or 0) for part in parts)
        told = usage.get("cache_read_input_tokens")
        return whole, told if isinstance(told, int) else cached
    details = usage.get("prompt_tokens_details")
    told = details.get("cached_tokens") if isinstance(details, dict) else None
    asked = usage.get("prompt_tokens")
    return asked if isinstance(asked, int) else prompt, told if isinstance(told, int) else cached
