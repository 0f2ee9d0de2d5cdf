"""Conversations that hang together with an older one, on a real engine: what they repeat is not processed again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from keepwarm.testing.answers import Answer, MarkerScript
from keepwarm.testing.scripted import Exchange, ScriptedServer
from keepwarm.testing.templates import NAMES
from tests.shell.conftest import OpenGateway
from tests.shell.talk import LOOP, TOOL, Talk, client_of
from tests.testing.conftest import EngineFor

SUMMARY = "The project was looked at twice, and nothing was found in it."
SCRIPT = MarkerScript({"loop": LOOP, "sum": (Answer(SUMMARY),)}, default=Answer("Nothing to do."))
SYSTEM = [{"type": "text", "text": "You are the keeper of the pump house. " + "Be careful. " * 150}]
ZIP = {"name": "Zip", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}
LIST = {"name": "List", "input_schema": {"type": "object", "properties": {}}}
FIND = {"name": "Find", "description": "Finds a tool.", "input_schema": {"type": "object", "properties": {}}}


def headers(session: str) -> dict[str, str]:
    return {"x-claude-code-session-id": session}


def pays(exchange: Exchange) -> int:
    """Tokens that it processed."""
    return exchange.prefilled_tokens


async def test_a_compacted_conversation_pays_its_first_turn_alone(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for(slots=4).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            other = Talk(client, "another")
            await other.turn()
            talk = Talk(client, "compacted")
            for _ in range(3):
                await talk.turn()
            talk.messages[-1]["content"] = "Summarise. SCRIPT sum"
            await talk.turn()
            talk.messages = [{"role": "user", "content": f"This goes on. {SUMMARY} SCRIPT loop"}]
            await talk.turn()
            await other.turn()
    first, last = server.exchanges[1], server.exchanges[-2]
    assert last.slot == first.slot
    assert pays(last) < 60
    assert last.cached_tokens > 0.8 * first.prompt_tokens
    assert pays(server.exchanges[-1]) < 120, "the other conversation still has its own"


async def test_a_cleared_conversation_pays_its_first_turn_alone(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for(slots=4).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            old = Talk(client, "old", system=SYSTEM)
            for _ in range(2):
                await old.turn()
            cleared = Talk(client, "new", system=SYSTEM)
            cleared.messages[0]["content"] = "<command-name>/clear</command-name> Look. SCRIPT loop"
            await cleared.turn()
            await cleared.turn()
    slots = {exchange.slot for exchange in server.exchanges}
    assert len(slots) == 1
    assert pays(server.exchanges[2]) < 60


async def test_a_fork_and_the_session_that_it_left_are_processed_once_each(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for(slots=4).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, "first", system=SYSTEM)
            for _ in range(3):
                await talk.turn()
            fork = Talk(client, "fork", system=SYSTEM)
            fork.messages = [*talk.messages[:-1], {"role": "user", "content": "Another way. SCRIPT loop"}]
            await fork.turn()
            await fork.turn()
            await talk.turn()
            await fork.turn()
            await talk.turn()
    row = server.exchanges
    slot = row[0].slot
    assert [exchange.slot == slot for exchange in row] == [True, True, True, True, True, True, False, True]
    # The older one comes back and keeps nearly half of what the fork left; the fork finds its own in the host cache.
    assert 0.3 < pays(row[5]) / row[5].prompt_tokens < 0.6
    assert max(pays(exchange) for place, exchange in enumerate(row) if place not in (0, 5)) < 250
    assert row[3].prompt.startswith(row[2].prompt)


@pytest.mark.parametrize("template", NAMES)
async def test_a_tool_that_comes_late_costs_its_definition(
    template: str, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    await late_tools(template, engine_for, open_gateway, [LIST, TOOL], [LIST, TOOL, ZIP])


@pytest.mark.parametrize("template", NAMES)
async def test_a_tool_that_is_loaded_costs_its_definition(
    template: str, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    loading = [{"type": "tool_reference", "tool_name": "Zip"}]
    await late_tools(
        template, engine_for, open_gateway, [TOOL, FIND], [TOOL, FIND, {**ZIP, "defer_loading": True}], loading
    )


async def late_tools(
    template: str,
    engine_for: EngineFor,
    open_gateway: OpenGateway,
    early: list[dict[str, Any]],
    late: list[dict[str, Any]],
    loading: list[dict[str, Any]] | None = None,
) -> None:
    """A conversation with `early` tools, then with `late` ones: each prompt begins with the one before it."""
    engine = engine_for(template)
    async with ScriptedServer(engine.url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, "late", tools=early)
            await talk.turn()
            if loading is not None:
                talk.messages[-1]["content"][0]["content"] = loading
            talk.tools(late)
            await talk.turn()
            await talk.turn()
    before, now, after = server.exchanges
    assert all(one.prompt.startswith(other.prompt) for other, one in pairwise(server.exchanges))
    assert "The tool Zip is available now:" in now.prompt[len(before.prompt) :]
    assert now.prompt.count('"Zip"') == after.prompt.count('"Zip"') == 1
    assert [tool["function"]["name"] for tool in now.request["tools"]] == [tool["name"] for tool in late]
    assert pays(now) == now.prompt_tokens - before.held_tokens
