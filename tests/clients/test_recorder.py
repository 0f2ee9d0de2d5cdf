"""The recorder changes nothing of what passes, and keeps the requests that matter."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.clients.recorder import Recorder, claimed


async def test_it_passes_everything_on_and_keeps_the_requests() -> None:
    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        said = f"{request.method} {request.raw_path} {request.headers.get('x-seen')} ".encode() + body
        return web.Response(status=418, body=said, headers={"x-back": "yes"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with (
        TestServer(app) as server,
        Recorder(str(server.make_url("")).rstrip("/")) as recorder,
        aiohttp.ClientSession(recorder.url) as http,
    ):
        async with http.post("/v1/messages?beta=true", data=b'{"a": [1]}', headers={"x-seen": "1"}) as posted:
            assert (posted.status, posted.headers["x-back"]) == (418, "yes")
            assert await posted.read() == b'POST /v1/messages?beta=true 1 {"a": [1]}'
        async with http.get("/v1/models") as got:
            assert await got.read() == b"GET /v1/models None "
    assert recorder.bodies == [{"a": [1]}]
    assert recorder.statuses == [418]


def test_what_chat_completions_claim_is_read_from_a_stream_and_from_a_body() -> None:
    usage = b'"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}'
    stream = b'data: {"choices":[],"usage":null}\n\ndata: {"choices":[],%b}\n\ndata: [DONE]\n\n' % usage
    assert claimed(stream) == claimed(b"{%b}" % usage) == [(9, 4)]
    assert claimed(b'data: {"choices":[]}\n\n') == []
