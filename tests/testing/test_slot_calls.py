"""The calls to the real engine, and who may use a slot when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.slot_calls import Refused, SlotCalls, SlotLocks, engine_prompt_tokens
from tests.testing.conftest import EngineFor

REQUEST: dict[str, Any] = {"messages": [{"role": "user", "content": "slot calls"}]}
RAW = '{"path":"x",  "ratio": 1.0}'


@pytest.fixture
async def calls(engine_for: EngineFor) -> AsyncIterator[SlotCalls]:
    """Calls to an engine of two slots with the qwen_like template."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        slot_calls = SlotCalls(session, engine_for().url)
        await slot_calls.look()
        yield slot_calls


async def ignore(progress: dict[str, Any]) -> None:
    """Progress that a test does not look at."""


async def test_the_engine_says_how_many_slots_it_has(calls: SlotCalls) -> None:
    assert calls.slots == 2


async def test_prefilling_tells_cost_slot_and_progress(calls: SlotCalls, engine_for: EngineFor) -> None:
    request = {"messages": [{"role": "user", "content": "a prompt of its own for this test:" + " word" * 3000}]}
    prompt = await calls.render(json.dumps(request).encode())
    seen: list[dict[str, Any]] = []

    async def keep(progress: dict[str, Any]) -> None:
        seen.append(progress)

    before = await calls.prompt_tokens_total()
    first = await calls.prefill({**request, "max_tokens": 500, "stream": False}, keep, slot=1)
    again = await calls.feed(prompt + "And more", slot=1)
    assert first.slot == 1
    assert first.cached < 20, "what other tests left in the slot"
    assert (again.slot, again.cached, again.processed) == (1, first.tokens, 2)
    assert [progress["processed"] for progress in seen] == [
        first.cached,
        first.cached + 2048,
        first.tokens,
    ]
    assert await engine_prompt_tokens(engine_for().url) - before == first.processed + again.processed


async def test_an_answer_is_generated_word_for_word(calls: SlotCalls) -> None:
    request = {"messages": [{"role": "user", "content": "a prompt that is answered in given words"}]}
    prompt = await calls.render(json.dumps(request).encode())
    text = '<think>\nGrößer?\n</think>\n\n  {"ratio": 1.0}\t<|im_start|> end'
    first = await calls.prefill(request, ignore, slot=1)
    generated = await calls.generate(prompt, await calls.tokens(text), slot=1)
    assert (generated.slot, generated.cached, generated.processed) == (1, first.tokens - 1, 1)
    again = await calls.feed(prompt + text, slot=1)
    assert again.tokens == generated.tokens
    assert (again.cached, again.processed) == (generated.tokens - 1, 1)


async def test_a_text_in_pieces_is_the_same_text_in_other_tokens(calls: SlotCalls) -> None:
    text = "Some words that are generated a few letters at a time, größer."
    whole, pieces = await calls.tokens(text), await calls.tokens(text, in_pieces=True)
    assert len(pieces) > len(whole)
    held = await calls.feed(pieces, slot=0)
    again = await calls.feed(text, slot=0)
    assert (held.tokens, again.tokens) == (len(pieces), len(whole))
    assert await calls.tokens("", in_pieces=True) == []


async def test_the_engines_own_choice_of_a_slot_is_told(calls: SlotCalls) -> None:
    request = {"messages": [{"role": "user", "content": "a prompt that is put into slot one" + " with care" * 50}]}
    pinned = await calls.prefill(request, ignore, slot=1)
    free = await calls.prefill(request, ignore, slot=None)
    assert (free.slot, free.cached) == (1, pinned.tokens - 1)


async def test_cache_prompt_is_obeyed(calls: SlotCalls) -> None:
    request = {"messages": [{"role": "user", "content": "a prompt that is to be processed twice"}]}
    first = await calls.prefill(request, ignore, slot=0)
    again = await calls.prefill({**request, "cache_prompt": False}, ignore, slot=0)
    assert (again.cached, again.processed) == (0, first.tokens)


async def test_what_would_have_been_generated_has_the_arguments_as_they_were(calls: SlotCalls) -> None:
    prompt = await calls.render(json.dumps(REQUEST).encode())
    answer = Answer("Words.", thinking="Thoughts.", tool_calls=(("Read", RAW), ("Read", "{}")))
    assert await calls.generated_text(REQUEST, prompt, answer) == (
        "<think>\nThoughts.\n</think>\n\nWords.\n"
        '<tool_call>\n{"name": "Read", "arguments": ' + RAW + "}\n</tool_call>\n"
        '<tool_call>\n{"name": "Read", "arguments": {}}\n</tool_call>'
    )
    assert await calls.generated_text(REQUEST, prompt, Answer("Only words.")) == "Only words."


async def test_behind_an_answer_to_be_continued_there_is_no_other(calls: SlotCalls) -> None:
    request = {"messages": [*REQUEST["messages"], {"role": "assistant", "content": "It beg"}]}
    prompt = await calls.render(json.dumps(request).encode())
    assert prompt.endswith("It beg")
    assert await calls.generated_text(request, prompt, Answer("ins.")) is None


async def test_a_refusal_keeps_the_engines_words(calls: SlotCalls) -> None:
    with pytest.raises(Refused, match="400") as refused:
        await calls.render(b'{"messages": [{"role": "user", "content": 3}]}')
    assert refused.value.status == 400
    assert json.loads(refused.value.body)["error"]["type"] == "invalid_request_error"
    with pytest.raises(Refused, match="exceed_context_size_error"):
        await calls.feed("word " * 40_000, slot=0)


async def test_locks_hold_one_slot_or_all() -> None:
    locks = SlotLocks(2)
    order: list[str] = []
    release = asyncio.Event()

    async def use(name: str, slot: int | None, wait: bool = False) -> None:
        async with locks.hold(slot):
            order.append(name)
            if wait:
                await release.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(use("first", 0, wait=True))
        await asyncio.sleep(0)
        same = tasks.create_task(use("same slot", 0))
        anywhere = tasks.create_task(use("any slot", None))
        await tasks.create_task(use("other slot", 1))
        assert order == ["first", "other slot"]
        assert not same.done()
        assert not anywhere.done()
        release.set()
    assert sorted(order[2:]) == ["any slot", "same slot"]


async def test_a_cancelled_wait_leaves_no_lock_behind() -> None:
    locks = SlotLocks(2)

    async def take_all() -> None:
        async with locks.hold(None):
            pass

    async with locks.hold(1):
        waiting = asyncio.create_task(take_all())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(10):
        await take_all()
