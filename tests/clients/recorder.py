"""Stands between a client and whatever it talks to, passes everything on, and keeps the bodies of its requests."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp import web

RECORDED: Final = frozenset(("/v1/messages", "/v1/chat/completions"))
HOP_BY_HOP: Final = frozenset(("connection", "content-length", "host", "keep-alive", "transfer-encoding"))


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
        self._runner: web.AppRunner
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        # No pooled connections: who listens behind may close one at any time, and the relay must not add an error.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._relay)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        recorded = request.path in RECORDED
        if recorded:
            self.bodies.append(msgspec.json.decode(body, type=dict[str, Any]))
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = self.target + request.raw_path
        async with self._http.request(request.method, url, data=body or None, headers=headers) as answer:
            if recorded:
                self.statuses.append(answer.status)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            told = b""
            async for piece in answer.content.iter_any():
                told += piece
                await response.write(piece)
            await response.write_eof()
            if request.path == "/v1/chat/completions" and answer.status == 200:
                self.claims += claimed(told)
            return response


def claimed(answer: bytes) -> list[tuple[int, int]]:
    """The counts in an answer to chat completions, a stream or not: (prompt tokens, cached ones); none, or one."""
    documents = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: {")] or [answer]
    for document in reversed(documents):
        usage = msgspec.json.decode(document, type=dict[str, Any]).get("usage")
        if usage:
            return [(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"])]
    return []
