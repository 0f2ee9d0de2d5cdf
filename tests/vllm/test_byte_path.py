"""Messages through keepwarm to vLLM's own /v1/messages: what is claimed to be reused is what vLLM has reused."""

from __future__ import annotations

from itertools import pairwise

import aiohttp
import pytest

from keepwarm.testing.vllm import Vllm
from tests.shell.asking import all_events
from tests.shell.asking import text_of as text_of_events
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Talk, common, counts, post, text_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
TURNS = 5


@pytest.mark.parametrize("stream", [False, True])
async def test_every_turn_reuses_the_ones_before_it(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession, stream: bool
) -> None:
    gateway = await open_gateway(vllm.url)
    records = Records(gateway)
    talk = Talk(f"the byte path {stream}")
    prompts: list[list[int]] = []
    reused: list[float] = []
    for turn in range(TURNS):
        body, before = talk.body(stream=stream), counts(vllm)
        async with http.post(gateway.url + "/v1/messages", json=body) as answer:
            assert answer.status == 200
            words = text_of_events(await all_events(answer)) if stream else text_of(await answer.json())
        talk.answered(words)
        await records.until(turn + 1)
        cost = counts(vllm).since(before)
        usage = records[turn].usage
        assert (usage.prompt_tokens, usage.cached_tokens) == (cost.prompt, cost.cached)
        # What vLLM makes of the very body is what it counted: the byte path has changed nothing.
        prompts.append((await post(http, vllm.url + "/v1/messages/render", body))["token_ids"])
        assert len(prompts[-1]) == cost.prompt
        reused.append(cost.cached)
    block = vllm.options.block
    for (old, new), cached in zip(pairwise(prompts), reused[1:], strict=True):
        shared = common(old, new)
        assert shared >= len(old) - 1
        assert shared - block < cached <= len(old) + 12
    assert [record.verdict.outcome for record in records if record.verdict] == ["first"] + ["hit"] * (TURNS - 1)
    assert {record.upstream for record in records} == {"anthropic"}


async def test_an_edit_costs_what_stands_behind_it_and_is_the_clients(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(vllm.url)
    records = Records(gateway)
    talk = Talk("edited", turn=100)
    bodies = []
    for turn in range(4):
        bodies.append(talk.body())
        talk.answered(text_of(await post(http, gateway.url + "/v1/messages", bodies[-1])))
        await records.until(turn + 1)
    talk.messages[2] = {"role": "user", "content": [{"type": "text", "text": "Cleared."}]}
    bodies.append(talk.body())
    await post(http, gateway.url + "/v1/messages", bodies[-1])
    await records.until(5)
    old, new = [(await post(http, vllm.url + "/v1/messages/render", body))["token_ids"] for body in bodies[-2:]]
    usage, verdict = records[-1].usage, records[-1].verdict
    assert usage.cached_tokens == common(old, new) // vllm.options.block * vllm.options.block
    assert verdict is not None
    assert (verdict.blame, verdict.causes) == ("client", ("HIS005",))
    assert verdict.place is not None
    assert verdict.place.path.startswith("/messages/2")


async def test_a_conversation_shares_its_head_with_another(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(vllm.url)
    records = Records(gateway)
    for number in range(2):
        talk = Talk("twins", turn=100)
        body = talk.body()
        body["messages"][0]["content"][0]["text"] = f"Twin {number} says something of its own: " + "word " * 200
        await post(http, gateway.url + "/v1/messages", body)
        await records.until(number + 1)
    assert (records[0].usage.cached_tokens, (records[1].usage.cached_tokens or 0) > 1000) == (0, True)
