"""What is handed on comes as it is, piece by piece."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from keepwarm.testing.passing import listening, pass_on, pool

SEEN = web.AppKey("seen", list[Any])


def server() -> web.Application:
    """Answers in two pieces, the second when it is asked for; tells what it was asked."""
    go = asyncio.Event()
    app = web.Application()
    app[SEEN] = []

    async def stream(request: web.Request) -> web.StreamResponse:
        app[SEEN].append((request.raw_path, dict(request.headers), await request.read()))
        response = web.StreamResponse(status=207, headers={"X-Kind": "stream"})
        await response.prepare(request)
        await response.write(b"one ")
        await go.wait()
        await response.write(b"two")
        return response

    async def more(_: web.Request) -> web.Response:
        go.set()
        return web.Response()

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound("/stream")

    app.router.add_post("/stream", stream)
    app.router.add_get("/more", more)
    app.router.add_get("/away", away)
    return app


async def test_pieces_status_and_headers_pass_and_those_of_the_connection_do_not() -> None:
    behind, before = server(), web.Application()
    begun: list[int] = []
    ended: list[tuple[int, bytes]] = []
    async with pool() as session, listening(behind) as behind_url:

        async def on(request: web.Request) -> web.StreamResponse:
            return await pass_on(
                session,
                request,
                behind_url + request.raw_path,
                added={"X-Served-By": "one"},
                begun=begun.append,
                ended=lambda status, body: ended.append((status, body)),
            )

        before.router.add_route("*", "/{path:.*}", on)
        async with listening(before) as url, aiohttp.ClientSession() as client:
            headers = {"X-Session": "s1", "Keep-Alive": "timeout=5"}
            async with client.post(url + "/stream?a=%20b", data=b"body", headers=headers) as answer:
                assert (answer.status, answer.headers["X-Kind"], answer.headers["X-Served-By"]) == (
                    207,
                    "stream",
                    "one",
                )
                assert await answer.content.readany() == b"one "  # though the second is still to come
                assert (begun, ended) == ([207], [])
                async with client.get(url + "/more"):
                    pass
                assert await answer.content.read() == b"two"
                assert ended[-1] == (207, b"one two")
            async with client.get(url + "/away", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (302, "/stream")
    ((path, headers, body),) = behind[SEEN]
    assert (path, body, headers["X-Session"]) == ("/stream?a=%20b", b"body", "s1")
    assert "Keep-Alive" not in headers
    assert url not in "".join(headers.values())  # the host is the server's own


async def test_a_port_that_is_taken_is_said() -> None:
    async with listening(web.Application()) as url:
        with pytest.raises(OSError, match="address already in use"):
            async with listening(web.Application(), port=int(url.rpartition(":")[2])):
                pass
