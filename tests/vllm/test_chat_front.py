"""An agent that speaks chat completions, through keepwarm to vLLM: its own bytes, and vLLM's own counts."""

from __future__ import annotations

import json

import aiohttp
import pytest

from keepwarm.testing.vllm import Vllm
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Json, Talk, counts, post
from tests.vllm.test_token_ids import chat_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
TURNS = 4


async def streamed(http: aiohttp.ClientSession, url: str, chat: Json) -> str:
    """The words of a streamed answer."""
    async with http.post(url + "/v1/chat/completions", json={**chat, "stream": True}) as answer:
        assert answer.status == 200
        lines = (await answer.read()).split(b"\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@pytest.mark.parametrize("stream", [False, True])
async def test_every_turn_reuses_the_ones_before_it(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession, stream: bool
) -> None:
    gateway = await open_gateway(vllm.url)
    records = Records(gateway)
    talk = Talk(f"a chat agent {stream}")
    for turn in range(TURNS):
        chat, before = chat_of(talk.body()), counts(vllm)
        if stream:
            talk.answered(await streamed(http, gateway.url, chat))
        else:
            said = await post(http, gateway.url + "/v1/chat/completions", chat)
            talk.answered(said["choices"][0]["message"]["content"])
        await records.until(turn + 1)
        cost, usage = counts(vllm).since(before), records[turn].usage
        assert (usage.prompt_tokens, usage.cached_tokens) == (cost.prompt, cost.cached)
        if turn:
            earlier = records[turn - 1].usage.prompt_tokens
            assert earlier is not None
            assert earlier - vllm.options.block < cost.cached <= earlier + 12
    assert [record.verdict.outcome for record in records if record.verdict] == ["first"] + ["hit"] * (TURNS - 1)
    assert {record.front for record in records} == {"chat"}
