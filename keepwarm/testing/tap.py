"""A tap on the line to a model server: everything passes as it is, and what was asked for is kept.

    async with Tap("http://127.0.0.1:8080") as tap:
        point a client or a gateway at tap.url; tap.heard holds each completion

It stands on both ways of the experiment alike, so what it costs (under a millisecond) is the same on both.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.codec.json_text import UNREADABLE

_PATHS: Final = ("/v1/chat/completions", "/v1/messages")
_HOP_BY_HOP: Final = frozenset(
    ("connection", "content-length", "host", "keep-alive", "transfer-encoding", "te", "upgrade")
)
_MAX_BODY: Final = 1 << 30


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
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        # force_close: llama.cpp closes the connection of a stream that it has promised to keep.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if self._key:
            headers = {n: v for n, v in headers.items() if n.lower() not in ("authorization", "x-api-key")}
            headers["authorization"] = f"Bearer {self._key}"
        said = b""
        listens = request.method == "POST" and request.path in _PATHS
        try:
            async with self._session.request(
                request.method, self._server + request.raw_path, data=body or None, headers=headers
            ) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
                response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                    said += piece if listens else b""
                if listens:
                    self.heard.append(Heard(request.path, body, answer.status, *counts(said)))
                await response.write_eof()
                return response
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
