"""The balancer between the gateway and several servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from keepwarm.testing.scenarios.router import SERVED_BY, Router


@asynccontextmanager
async def serving(name: str) -> AsyncIterator[str]:
    """A server that says its name."""

    async def say(request: web.Request) -> web.Response:
        return web.Response(text=f"{name} {request.path}", headers={"x-server": name})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", say)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_completions_are_balanced_and_everything_else_goes_to_the_first() -> None:
    async with (
        serving("one") as one,
        serving("two") as two,
        Router([one, two], lambda body, before: int(body["model"] == "b")) as router,
        aiohttp.ClientSession() as session,
    ):

        async def ask(path: str, body: str) -> str:
            async with session.post(router.url + path, data=body) as answer:
                assert {"one": "replica-0", "two": "replica-1"}[answer.headers["x-server"]] == answer.headers[SERVED_BY]
                return await answer.text()

        said = '{"model":"%s","messages":[{}]}'
        assert await ask("/v1/chat/completions", said % "b") == "two /v1/chat/completions"
        assert await ask("/v1/messages", said % "a") == "one /v1/messages"
        assert await ask("/v1/messages", "{}") == "one /v1/messages"
        assert await ask("/v1/messages", "no JSON") == "one /v1/messages"
        assert await ask("/tokenize", said % "b") == "one /tokenize"
        assert router.went == [1, 0]
