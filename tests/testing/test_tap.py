"""The tap lets everything pass and keeps what was asked, with the server's own counts."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from keepwarm.testing.tap import Tap, counts
from tests.testing.conftest import EngineFor


async def test_what_passes_is_kept_with_the_real_servers_counts(engine_for: EngineFor) -> None:
    body = {"messages": [{"role": "user", "content": "tap " * 40}], "max_tokens": 2}
    streamed = body | {"stream": True, "stream_options": {"include_usage": True}}
    async with Tap(engine_for().url) as tap, aiohttp.ClientSession() as http:
        async with http.get(f"{tap.url}/props") as answer:
            assert (await answer.json())["total_slots"] == 2
        async with http.post(f"{tap.url}/v1/chat/completions", json=body) as answer:
            whole = await answer.json()
        async with http.post(f"{tap.url}/v1/chat/completions", json=streamed) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert b"[DONE]" in await answer.read()
        async with http.post(f"{tap.url}/v1/chat/completions", json={"messages": 7}) as answer:
            assert answer.status >= 400
    first, second, refused = tap.heard
    assert json.loads(first.body) == body
    assert first.prompt == whole["usage"]["prompt_tokens"]
    assert second.prompt == first.prompt
    assert second.cached is not None
    assert first.prompt is not None
    assert second.cached >= first.prompt - 1
    assert (refused.status >= 400, refused.prompt) == (True, None)


async def test_a_server_that_is_not_there_is_a_bad_gateway(free_port: int) -> None:
    async with (
        Tap(f"http://127.0.0.1:{free_port}") as tap,
        aiohttp.ClientSession() as http,
        http.get(tap.url) as answer,
    ):
        assert answer.status == 502


async def test_the_key_takes_the_place_of_the_callers() -> None:
    seen: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response()

    application = web.Application()
    application.router.add_get("/health", answer)
    async with TestServer(application) as server, aiohttp.ClientSession() as http:
        for key in ("sk-server", ""):
            async with Tap(str(server.make_url("/")), key) as tap:
                await http.get(f"{tap.url}/health", headers={"x-api-key": "dummy"})
    assert (seen[0]["authorization"], "x-api-key" in seen[0]) == ("Bearer sk-server", False)
    assert (seen[1]["x-api-key"], "authorization" in seen[1]) == ("dummy", False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}', (9, 4)),
        (b'{"usage":{"prompt_tokens":9}}', (9, None)),
        (b'{"usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":3}}', (12, 4)),
        (b'{"usage":{"input_tokens":5}}', (5, None)),
        (b'data: {"message":{"usage":{"input_tokens":5,"cache_read_input_tokens":4}}}\n\ndata: [DONE]\n\n', (9, 4)),
        (b'data: {"choices":[]}\n\ndata: {"usage":null}\n\n', (None, None)),
        (b"", (None, None)),
        (b"<html>", (None, None)),
    ],
)
def test_counts(said: bytes, told: tuple[int | None, int | None]) -> None:
    assert counts(said) == told
