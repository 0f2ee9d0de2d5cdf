"""The server's own reasons, each made on a real engine, and how it shows: SRV003, SRV004, SRV005 and SRV007."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from keepwarm.ledger.records import Record
from keepwarm.testing.answers import Answer
from keepwarm.testing.tiny_shapes import SHAPES, Memory
from tests.engines.conftest import OpenStage
from tests.engines.stage import WORDS, Stage, Visitor


async def test_a_full_context_that_is_shifted(open_stage: OpenStage) -> None:
    costs = {}
    for shift in (False, True):
        stage = await open_stage("full", slots=1, context=2048, context_shift=shift)
        stage.server.generating = True
        visitor = Visitor(stage, "long", system=400)
        await visitor.say("Turn 0")
        stage.server.script = lambda _: Answer("word " * 180)
        await visitor.say("Turn 1")
        # The client makes room: the long answer goes, and what led to it.
        del visitor.messages[2:]
        costs[shift] = await visitor.say("Turn 1, but shorter")
        if shift:
            assert await stage.cause(2, appended=False) == "SRV003"
    assert costs[False].prompt == costs[True].prompt
    assert costs[False].cached_tokens > 1700
    assert costs[True].cached_tokens == 0


@pytest.mark.parametrize("memory", SHAPES)
async def test_without_a_host_cache_a_slot_that_was_anothers_is_empty(open_stage: OpenStage, memory: Memory) -> None:
    stage = await open_stage(memory, slots=1, cache_ram_mib=0)
    one, two = Visitor(stage, "one"), Visitor(stage, "two")
    await one.say("Turn 0")
    await two.say("Turn 0")
    back = await one.say("Turn 1")
    assert back.cached_tokens < 20
    assert await stage.cause(2, appended=True) == "SRV005"


async def test_a_host_cache_that_is_too_small_keeps_the_newest(open_stage: OpenStage) -> None:
    # A conversation takes 1.2 MiB here (512 bytes a token).
    stage = await open_stage("full", slots=1, cache_ram_mib=3)
    talks = [Visitor(stage, name) for name in ("one", "two", "three", "four")]
    for talk in talks:
        await talk.say("Turn 0")
    assert (await talks[2].say("Turn 1")).cached_tokens > 2000
    assert (await talks[0].say("Turn 1")).cached_tokens < 20
    assert await stage.cause(5, appended=True) == "SRV005"


def newest_task(slots: list[dict[str, Any]]) -> int:
    """The greatest number of a task that a slot has had; -1 when none has had any."""
    return max(slot.get("id_task", -1) for slot in slots)


async def slots_of(stage: Stage) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(stage.engine.url + "/slots") as answer:
        rows: list[dict[str, Any]] = await answer.json()
        return rows


async def test_a_server_that_was_started_anew(open_stage: OpenStage, free_port: int) -> None:
    stage = await open_stage("full", port=free_port)
    visitor = Visitor(stage, "patient")
    for turn in range(3):
        await visitor.say(f"Turn {turn}")
    before = await stage.server.engine_prompt_tokens(), newest_task(await slots_of(stage))
    await asyncio.to_thread(stage.engine.stop)
    await asyncio.to_thread(stage.engine.start)
    assert newest_task(await slots_of(stage)) == -1
    exchange = await visitor.say("Turn 3")
    after = await stage.server.engine_prompt_tokens(), newest_task(await slots_of(stage))
    assert exchange.cached_tokens == 0
    # Either shows it: its count has grown by less than this request alone, and its tasks are numbered from 0 again.
    assert after[0] < before[0] + exchange.prefilled_tokens
    assert after[1] < before[1]
    assert await stage.cause(3, appended=True, newborn=True) == "SRV004"


async def test_a_server_that_was_away_and_is_back_is_named(open_stage: OpenStage, free_port: int) -> None:
    stage = await open_stage("full", port=free_port)
    visitor = Visitor(stage, "waiting")
    for turn in range(2):
        await visitor.say(f"Turn {turn}")
    await asyncio.to_thread(stage.engine.stop)
    with pytest.raises(AssertionError, match="Cannot connect"):
        await visitor.say("Turn 2")
    await asyncio.to_thread(stage.engine.start)
    assert (await visitor.again()).cached_tokens == 0
    verdict = stage.records[-1].verdict
    assert verdict is not None
    assert (verdict.blame, verdict.causes) == ("server", ("SRV004",))
    await visitor.say("Turn 3")
    assert stage.records[-1].verdict is not None
    assert stage.records[-1].verdict.outcome == "hit"


@pytest.mark.parametrize("shows_slots", [True, False])
async def test_one_that_was_started_anew_between_two_requests_is_named(
    open_stage: OpenStage, free_port: int, shows_slots: bool
) -> None:
    stage = await open_stage("full", port=free_port, show_slots=shows_slots)
    amended: list[Record] = []
    stage.gateway.amended.append(amended.append)
    one, two = Visitor(stage, "silent"), Visitor(stage, "waiting too")
    for turn in range(2):
        await one.say(f"Turn {turn}")
        await two.say(f"Turn {turn}")
    await asyncio.to_thread(stage.engine.stop)
    await asyncio.to_thread(stage.engine.start)
    assert (await one.say("Turn 2")).cached_tokens == 0
    first = stage.records[-1].verdict
    assert first is not None
    assert "SRV004" not in first.causes
    await stage.gateway.inquiries.settled()
    assert [record.id for record in amended] == [stage.records[-1].id]
    verdict = amended[-1].verdict
    assert verdict is not None
    assert (verdict.outcome, verdict.blame, verdict.causes) == ("miss", "server", ("SRV004",))
    # From then on it is known, of whoever has not been there since.
    assert (await two.say("Turn 2")).cached_tokens < 20
    assert stage.records[-1].verdict is not None
    assert stage.records[-1].verdict.causes == ("SRV004",)
    await one.say("Turn 3")
    assert stage.records[-1].verdict is not None
    assert stage.records[-1].verdict.outcome == "hit"


async def test_one_that_has_lost_a_conversation_and_runs_on_is_not_taken_for_a_new_one(open_stage: OpenStage) -> None:
    stage = await open_stage("full", slots=1, cache_ram_mib=0)
    amended: list[Record] = []
    stage.gateway.amended.append(amended.append)
    one, two = Visitor(stage, "one"), Visitor(stage, "two")
    for turn in range(2):
        await one.say(f"Turn {turn}")
        await two.say(f"Turn {turn}")
        await stage.gateway.inquiries.settled()
    verdicts = [record.verdict for record in (*stage.records[2:], *amended)]
    assert {verdict.causes for verdict in verdicts if verdict is not None} == {("SRV005",)}


async def test_caching_that_is_off_reports_zero_and_only_zero(open_stage: OpenStage) -> None:
    for cached in (True, False):
        stage = await open_stage("full", cache_prompt=cached, gateway={"upstream__kind": "anthropic"})
        body = {
            "model": "m",
            "max_tokens": 1,
            "system": "You are brief. " + WORDS * 100,
            "messages": [{"role": "user", "content": "hello"}],
        }
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                async with session.post(stage.gateway.url + "/v1/messages", data=json.dumps(body)) as answer:
                    assert answer.status == 200
                    await answer.read()
        counts = [record.usage.cached_tokens for record in stage.records]
        assert counts[0] == 0
        assert (counts[1] or 0) > 300 if cached else counts[1] == 0
        if not cached:
            assert await stage.cause(1, appended=True) == "SRV007"


async def test_the_gateways_own_slots_win_over_caching_that_is_off(open_stage: OpenStage) -> None:
    stage = await open_stage("full", cache_prompt=False)
    visitor = Visitor(stage, "asks for it")
    await visitor.say("Turn 0")
    assert (await visitor.say("Turn 1")).cached_tokens > 2000


async def test_nothing_else_that_the_server_says_tells_its_kind_of_memory(open_stage: OpenStage) -> None:
    """/props, /slots and /v1/models are the same for all of them but for names, sizes and times: the file must tell."""
    told = []
    for memory in SHAPES:
        stage = await open_stage(memory)
        async with aiohttp.ClientSession() as session:
            texts = []
            for path in ("/props", "/slots", "/v1/models"):
                async with session.get(stage.engine.url + path) as answer:
                    texts.append(shape_of(await answer.json()))
        told.append(texts)
    assert told[0] == told[1] == told[2] == told[3]


def shape_of(value: Any) -> Any:
    """A JSON value without its texts and numbers."""
    if isinstance(value, dict):
        return {name: shape_of(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(inner) for inner in value]
    return value if isinstance(value, bool) else type(value).__name__


async def test_the_clock_is_not_asked(open_stage: OpenStage) -> None:
    """/v1/models says when it was asked, not when the model was loaded: no sign of a new start."""
    stage = await open_stage("full")
    async with aiohttp.ClientSession() as session, session.get(stage.engine.url + "/v1/models") as answer:
        created = (await answer.json())["data"][0]["created"]
    assert abs(created - time.time()) < 30
