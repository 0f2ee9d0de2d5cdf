"""Conversations that share the slots of a real engine: whose turn it is, and what it costs them."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import aiohttp
import pytest

from keepwarm.core.events import Progress
from keepwarm.testing.scripted import Exchange, ScriptedServer
from tests.shell.asking import all_events, kinds
from tests.shell.conftest import OpenGateway
from tests.shell.stub import message_body
from tests.shell.talk import SCRIPT, Talk, client_of
from tests.testing.conftest import EngineFor


def of(name: str, exchanges: list[Exchange]) -> list[Exchange]:
    """The exchanges of one conversation."""
    return [exchange for exchange in exchanges if f"You are {name}." in exchange.prompt]


def processed_again(exchanges: list[Exchange]) -> list[int]:
    """For each turn but the first: tokens that were processed although the turn before had left them in the slot."""
    return [
        after.prefilled_tokens - (after.prompt_tokens - before.held_tokens) for before, after in pairwise(exchanges)
    ]


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("talks", [2, 3])
async def test_conversations_at_once_lose_nothing(
    slots: int, talks: int, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    names = [f"talk {slots} {talks} {number}" for number in range(talks)]
    async with ScriptedServer(engine_for(slots=slots).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:

            async def play(name: str) -> None:
                talk = Talk(client, name)
                for _ in range(4):
                    await talk.turn()

            await asyncio.gather(*(play(name) for name in names))
        for name in names:
            mine = of(name, server.exchanges)
            assert len(mine) == 4
            assert processed_again(mine) == [0, 0, 0]
            assert all(after.prompt.startswith(before.prompt) for before, after in pairwise(mine))
            if slots >= talks:
                assert len({exchange.slot for exchange in mine}) == 1


async def test_a_hang_up_in_the_slot_lets_the_other_conversation_go_on(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for(slots=1).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            leaving, staying = Talk(client, "who leaves"), Talk(client, "who stays")
            await leaving.turn()
            await staying.turn()
            turn = asyncio.create_task(leaving.turn())
            await server.until(lambda: server.arrived == 3)
            turn.cancel()
            await staying.turn()
            await staying.turn()
        assert turn.cancelled()
        assert processed_again(of("who stays", server.exchanges)) == [0, 0]


async def test_a_long_prefill_is_told_of(
    engine_for: EngineFor,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("keepwarm.exchange.relay.TELL_MS", 0.0)
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        told: list[tuple[str, Progress]] = []
        gateway.progress.append(lambda call, progress: told.append((call, progress)))
        body = message_body("A long prompt. " * 1500, stream=True)
        async with http.post(gateway.url + "/v1/messages", data=body) as answer:
            call = answer.headers["request-id"]
            assert kinds(await all_events(answer))[-1] == "message_stop"
        assert len(told) > 1
        assert {name for name, _ in told} == {call}
        assert {progress.total for _, progress in told} == {server.exchanges[0].prompt_tokens}
        steps = [progress.processed for _, progress in told]
        assert steps == sorted(steps)
        assert steps[-1] == server.exchanges[0].prompt_tokens
