"""Messages translated to vLLM's chat completions: the same counts, and nothing lost by the translation."""

from __future__ import annotations

import aiohttp
import pytest

from keepwarm.testing.vllm import Vllm
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Talk, counts, post, text_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
TURNS = 5


async def test_every_turn_reuses_the_ones_before_it(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(vllm.url, upstream__kind="chat")
    records = Records(gateway)
    talk = Talk("the chat endpoint")
    for turn in range(TURNS):
        before = counts(vllm)
        talk.answered(text_of(await post(http, gateway.url + "/v1/messages", talk.body())))
        await records.until(turn + 1)
        cost, usage = counts(vllm).since(before), records[turn].usage
        assert (usage.prompt_tokens, usage.cached_tokens) == (cost.prompt, cost.cached)
        if turn:
            earlier = records[turn - 1].usage.prompt_tokens
            assert earlier is not None
            assert earlier - vllm.options.block < cost.cached <= earlier + 12
    assert [record.verdict.outcome for record in records if record.verdict] == ["first"] + ["hit"] * (TURNS - 1)
    assert {record.upstream for record in records} == {"chat"}
