"""A server made of a table: what it answers at each path. For servers that cannot run here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiohttp import web

Said: TypeAlias = tuple[int, Any]
"""Status and JSON body; a string is a page of HTML."""
Speech: TypeAlias = Said | Callable[[dict[str, Any]], Said]
"""An answer, or what makes it of the request's JSON."""


class Speaker:
    """What it was asked, in `asked` and `headers`."""

    def __init__(self, table: dict[str, Speech], otherwise: Said = (404, {"error": "not found"})) -> None:
        self.table, self.otherwise = table, otherwise
        self.asked: list[tuple[str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Everything that comes."""
        body = await request.read()
        self.asked.append((request.path, body))
        self.headers.append(dict(request.headers))
        speech = self.table.get(request.path, self.otherwise)
        status, said = speech(json.loads(body or b"{}")) if callable(speech) else speech
        if isinstance(said, str):
            return web.Response(text=said, status=status, content_type="text/html")
        return web.json_response(said, status=status)


@asynccontextmanager
async def speaking(table: dict[str, Speech], otherwise: Said = (404, {"error": "not found"})) -> AsyncIterator[Speaker]:
    """A server that says this, listening at `.url`."""
    speaker = Speaker(table, otherwise)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", speaker.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        speaker.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield speaker
    finally:
        await runner.cleanup()


def vllm(*, reports: bool = False) -> dict[str, Speech]:
    """vLLM 0.32 after its documentation: /version, /v1/models, and usage with details only when it was told to."""

    def chat(body: dict[str, Any]) -> Said:
        if "messages" not in body:
            return 400, {"error": {"message": "messages: Field required", "code": 400}}
        details = {"prompt_tokens_details": {"cached_tokens": 0}} if reports else {"prompt_tokens_details": None}
        return 200, {"choices": [], "usage": {"prompt_tokens": 700, "completion_tokens": 1, **details}}

    model = {"id": "qwen3", "object": "model", "owned_by": "vllm", "max_model_len": 40_960}
    return {
        "/health": (200, ""),
        "/version": (200, {"version": "0.32.0"}),
        "/v1/models": (200, {"object": "list", "data": [model]}),
        "/v1/chat/completions": chat,
    }
