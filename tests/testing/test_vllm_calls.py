"""What the scripted vLLM asks of the real one, held against a stand-in: the real one is in tests/vllm."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.slot_calls import Refused
from keepwarm.testing.vllm_calls import CHAT, MESSAGES, VllmCalls
from tests.testing.vllm_stub import BLOCK, Json, VllmStub, vllm_stub

ASKED: Json = {
    "model": "local",
    "stream": True,
    "messages": [{"role": "user", "content": "what is the time?"}],
    "thinking": {"type": "enabled", "budget_tokens": 4},
}
ANSWER = Answer("It is late.", "Late?", (("Bash", '{"b": 1, "a": 2}'),))


@pytest.fixture
async def stub() -> AsyncIterator[VllmStub]:
    async with vllm_stub() as running:
        yield running


@pytest.fixture
async def calls(stub: VllmStub) -> AsyncIterator[VllmCalls]:
    async with aiohttp.ClientSession() as session:
        made = VllmCalls(session, stub.url, salt="mine")
        await made.look()
        yield made


async def test_the_block_size_is_vllms_own(calls: VllmCalls) -> None:
    assert calls.block == BLOCK


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_a_prompt_is_processed_once(calls: VllmCalls, stub: VllmStub, path: str) -> None:
    before = await calls.processed_total()
    first, second = await calls.prefill(path, ASKED), await calls.prefill(path, ASKED)
    assert (first.cached, second.cached) == (0, (second.prompt - 1) // BLOCK * BLOCK)
    assert await calls.processed_total() - before == first.prompt + second.prompt - (second.cached or 0)
    said = stub.seen[-1][1]
    assert (said["model"], said["max_tokens"], said["cache_salt"]) == ("tiny", 1, "mine")
    assert not {"stream", "thinking"} & said.keys()


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_the_answers_own_words_stand_behind_the_prompt(calls: VllmCalls, path: str) -> None:
    prompt = await calls.text(await calls.prompt(path, ASKED))
    text = await calls.generated_text(path, ASKED, prompt, ANSWER)
    assert text is not None
    assert text.startswith("Late?It is late.")
    assert '{"b": 1, "a": 2}' in text, "as they were generated"
    assert await calls.generated_text(path, ASKED, "another prompt", ANSWER) is None


async def test_pieces_are_tokens_of_their_own(calls: VllmCalls, stub: VllmStub) -> None:
    assert await calls.tokens("abcdefg", in_pieces=True) == [ord(letter) for letter in "abcdefg"]
    assert [body["prompt"] for path, body in stub.seen if path == "/tokenize"] == ["abc", "def", "g"]


async def test_what_vllm_refuses_is_refused(calls: VllmCalls) -> None:
    with pytest.raises(Refused, match="400"):
        await calls.prefill(CHAT, {"messages": []})
