"""One completion: its progress, its record, and a caller that goes away."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.testing.conftest import EngineFor
from tests.testing.conversation import ask, serving


@pytest.mark.parametrize("return_progress", [True, False])
async def test_progress_comes_when_asked_for(engine_for: EngineFor, return_progress: bool) -> None:
    async with serving(engine_for) as server, aiohttp.ClientSession() as session:
        words = f"progress {return_progress} " + "word " * 2500
        body = {"messages": [{"role": "user", "content": words}], "stream": True, "return_progress": return_progress}
        async with session.post(server.url + "/v1/chat/completions", json=body) as answer:
            lines = [json.loads(line[6:]) async for line in answer.content if line.startswith(b"data: {")]
        progress = [line["prompt_progress"] for line in lines if "prompt_progress" in line]
        (exchange,) = server.exchanges
        cached, total = exchange.cached_tokens, exchange.prompt_tokens
        steps = [cached, cached + 2048, total] if return_progress else []
        assert [step["processed"] for step in progress] == steps
        assert "usage" not in lines[-1]
        assert lines[-1]["timings"]["prompt_n"] == exchange.prefilled_tokens


@pytest.mark.parametrize("return_progress", [True, False])
async def test_a_caller_that_hangs_up_cancels_the_engine(engine_for: EngineFor, return_progress: bool) -> None:
    async with serving(engine_for) as server, aiohttp.ClientSession() as session:
        counted = await server.engine_prompt_tokens()
        words = f"hang up {return_progress} " + "word " * 25_000
        body = {"messages": [{"role": "user", "content": words}], "stream": True, "return_progress": return_progress}
        if return_progress:
            async with session.post(server.url + "/v1/chat/completions", json=body | {"id_slot": 0}) as answer:
                await answer.content.readline()
        else:
            asking = asyncio.create_task(session.post(server.url + "/v1/chat/completions", json=body | {"id_slot": 0}))
            await server.until(lambda: server.arrived == 1)
            asking.cancel()
        async with asyncio.timeout(60):
            await server.until(lambda: len(server.exchanges) == 1)
            (exchange,) = server.exchanges
            assert exchange.cancelled
            assert exchange.answer is None
            # Pinned to the same slot, so it waits until the engine has let go of the first.
            await ask(server, {"messages": [{"role": "user", "content": "still there?"}], "id_slot": 0})
        assert await server.engine_prompt_tokens() - counted < 25_000


async def test_the_body_is_kept_as_it_came(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server, aiohttp.ClientSession() as session:
        body = b'{ "messages":[{"content":"hi","role":"user"}],  "odd": 1.0 }'
        async with session.post(server.url + "/v1/chat/completions", data=body) as answer:
            assert answer.status == 200
        assert server.exchanges[0].body == body
        assert server.exchanges[0].request["odd"] == 1.0
