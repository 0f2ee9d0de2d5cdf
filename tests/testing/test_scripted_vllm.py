"""The scripted vLLM in front of a stand-in: what it says, and what it leaves in the cache."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from keepwarm.testing.agent_player import ChatAnswer, MessagesAnswer
from keepwarm.testing.answers import Answer
from keepwarm.testing.scripted_vllm import ScriptedVllm
from tests.testing.vllm_stub import BLOCK, Json, vllm_stub

ANSWER = Answer("It is late, and the lamp is out: so much can be said.", "Late?")


def asked(*messages: Json, **more: Any) -> Json:
    return {"model": "local", "stream": True, "messages": list(messages), **more}


async def hear(http: aiohttp.ClientSession, url: str, body: Json, path: str = "/v1/chat/completions") -> list[Json]:
    answer = ChatAnswer() if "chat" in path else MessagesAnswer()
    async with http.post(url + path, json=body) as response:
        assert response.status == 200
        for line in (await response.read()).split(b"\n"):
            if line.startswith(b"data: {"):
                answer.take(json.loads(line[6:]))
    return answer.blocks()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_conversation_that_goes_on_finds_full_blocks(path: str) -> None:
    async with (
        vllm_stub() as stub,
        ScriptedVllm(stub.url, lambda body: ANSWER) as server,
        aiohttp.ClientSession() as http,
    ):
        user = {"role": "user", "content": "what is the time?"}
        thinking, words = await hear(http, server.url, asked(user), path)
        assert (thinking["thinking"], words["text"]) == (ANSWER.thinking, ANSWER.text)
        said: Json = {"role": "assistant", "content": ANSWER.text, "reasoning": ANSWER.thinking}
        if path == "/v1/messages":
            said = {"role": "assistant", "content": [thinking, words]}
        await hear(http, server.url, asked(user, said, user), path)
        first, second = server.exchanges
        assert first.held_tokens % BLOCK == 0
        assert first.held_tokens > first.prompt_tokens
        assert second.cached_tokens == first.held_tokens
        engine = await server.engine_prompt_tokens()
        assert engine == first.prefilled_tokens + second.prefilled_tokens + server.fed_total


async def test_two_servers_on_one_vllm_share_nothing() -> None:
    async with (
        vllm_stub() as stub,
        ScriptedVllm(stub.url, lambda body: ANSWER) as one,
        ScriptedVllm(stub.url, lambda body: ANSWER) as two,
        aiohttp.ClientSession() as http,
    ):
        for server in (one, two):
            await hear(http, server.url, asked({"role": "user", "content": "what is the time, once more?"}))
            assert server.exchanges[0].cached_tokens == 0


async def test_an_answer_stands_still_where_it_is_cut_and_what_was_generated_is_kept() -> None:
    async with (
        vllm_stub() as stub,
        ScriptedVllm(stub.url, lambda body: ANSWER, cut=lambda body: 2) as server,
        aiohttp.ClientSession() as http,
    ):
        response = await http.post(
            server.url + "/v1/chat/completions", json=asked({"role": "user", "content": "what is the time?"})
        )
        heard = b""
        while b"It is late" not in heard:
            heard += await response.content.readany()
        response.close()
        await server.until(lambda: bool(server.exchanges))
        (cut,) = server.exchanges
        assert cut.cancelled
        assert 0 < cut.generated_tokens < len(ANSWER.text)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_system_messages_are_moved_to_the_head_where_it_is_to_hoist(path: str) -> None:
    row = [{"role": "user", "content": "one"}, {"role": "system", "content": "be brief"}]
    more: Json = {"system": "You help."} if path == "/v1/messages" else {}
    async with (
        vllm_stub() as stub,
        ScriptedVllm(stub.url, lambda body: ANSWER, hoist=True) as server,
        aiohttp.ClientSession() as http,
    ):
        await hear(http, server.url, asked(*row, **more), path)
        assert server.exchanges[0].prompt.index("be brief") < server.exchanges[0].prompt.index("one")


async def test_what_is_no_completion_is_passed_through_and_what_is_not_streamed_refused() -> None:
    async with vllm_stub() as stub, ScriptedVllm(stub.url, lambda body: ANSWER) as server:
        async with aiohttp.ClientSession() as http:
            async with http.get(server.url + "/metrics") as answer:
                assert "block_size" in await answer.text()
            async with http.post(server.url + "/v1/messages", json={}) as answer:
                assert answer.status == 400
            body = asked({"role": "user", "content": "hm"}) | {"stream": False}
            async with http.post(server.url + "/v1/messages", json=body) as answer:
                assert "stream only" in (await answer.json())["error"]["message"]
        assert server.exchanges == []
