"""A billing header with another value in each request, on every way to vLLM: what the turns behind the first cost.

vLLM 0.32 takes the line out itself, in chat completions too, when it is the very beginning of a system text; and with
it, in /v1/messages, whatever else stands in the same block.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.vllm import Vllm
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Json, Talk, counts, post, text_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
TURNS = 4
Send = Callable[[Json], Awaitable[str]]


async def later_turns(vllm: Vllm, talk: Talk, send: Send) -> tuple[float, float]:
    """(tokens processed in all turns but the first, tokens of the last prompt less those of the first)."""
    processed, prompts = [], []
    for _ in range(TURNS):
        before = counts(vllm)
        talk.answered(await send(talk.body()))
        cost = counts(vllm).since(before)
        processed.append(cost.processed)
        prompts.append(cost.prompt)
    return sum(processed[1:]), prompts[-1] - prompts[0]


@pytest.fixture
def straight(vllm: Vllm, http: aiohttp.ClientSession) -> dict[str, Send]:
    """Ways to vLLM without a gateway, by endpoint."""

    async def chat(body: Json) -> str:
        translated = json.loads(to_chat(json.dumps(body).encode()))
        whole = {**translated, "stream": False, "stream_options": None}
        said = await post(http, vllm.url + "/v1/chat/completions", whole)
        return str(said["choices"][0]["message"]["content"])

    async def messages(body: Json) -> str:
        return text_of(await post(http, vllm.url + "/v1/messages", body))

    return {"chat": chat, "anthropic": messages}


@pytest.mark.parametrize("front", ["", " ", "\n"])
@pytest.mark.parametrize("kind", ["anthropic", "chat"])
async def test_through_keepwarm_each_token_is_processed_once(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession, kind: str, front: str
) -> None:
    gateway = await open_gateway(vllm.url, upstream__kind=kind)

    async def send(body: Json) -> str:
        return text_of(await post(http, gateway.url + "/v1/messages", body))

    processed, new = await later_turns(vllm, Talk(f"kept warm {kind} {front!r}", billing=front), send)
    # A block that is not full is not kept, and an answer of 12 tokens is read otherwise than it was generated.
    assert processed <= new + (TURNS - 1) * vllm.options.block


@pytest.mark.parametrize("kind", ["anthropic", "chat"])
async def test_straight_it_is_taken_out_by_vllm_itself(vllm: Vllm, straight: dict[str, Send], kind: str) -> None:
    processed, new = await later_turns(vllm, Talk(f"straight {kind}", billing=""), straight[kind])
    assert processed <= new + (TURNS - 1) * vllm.options.block


@pytest.mark.parametrize("kind", ["anthropic", "chat"])
async def test_straight_with_a_space_in_front_every_turn_begins_anew(
    vllm: Vllm, straight: dict[str, Send], kind: str
) -> None:
    processed, new = await later_turns(vllm, Talk(f"cold {kind}", billing=" "), straight[kind])
    assert processed > 6 * new


async def test_a_prompt_in_the_same_block_is_lost_straight_and_kept_by_keepwarm(
    vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(vllm.url)
    records = Records(gateway)
    body = Talk("one block", billing="").body()
    plain = {**body, "system": body["system"][1:]}
    merged = {**body, "system": [{"type": "text", "text": "\n".join(block["text"] for block in body["system"])}]}
    lengths = [
        len((await post(http, vllm.url + "/v1/messages/render", asked))["token_ids"]) for asked in (plain, merged)
    ]
    assert lengths[0] - lengths[1] > 1200, "its system prompt is gone"
    await post(http, gateway.url + "/v1/messages", merged)
    await records.until(1)
    assert records[0].usage.prompt_tokens == lengths[0]
