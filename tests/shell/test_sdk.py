"""The official Python client, unchanged, against the gateway in front of a real engine."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from keepwarm.shell.app import Gateway
from keepwarm.testing.faults import Fault, HangUp, Refuse, StreamError
from keepwarm.testing.scripted import ScriptedServer
from tests.shell.conftest import OpenGateway
from tests.shell.talk import COMMAND, LOOP, SCRIPT, TOOL, Talk, client_of
from tests.testing.conftest import EngineFor

ASK: dict[str, Any] = {"model": "local", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_thinking(stream: bool, engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, f"sdk {stream}", stream=stream)
            answers = [await talk.turn() for _ in range(4)]
    first, second, third, last = answers
    assert [block.type for block in first.content] == ["thinking", "text", "tool_use", "tool_use"]
    thinking, text, call, other = first.content
    assert thinking.type == "thinking"
    assert thinking.thinking == LOOP[0].thinking
    assert thinking.signature
    assert text.type == "text"
    assert text.text == LOOP[0].text
    assert call.type == other.type == "tool_use"
    assert (call.name, call.input) == ("Bash", json.loads(COMMAND))
    assert (other.name, other.input) == ("Bash", {"command": "pwd"})
    assert [answer.stop_reason for answer in answers] == ["tool_use", "tool_use", "end_turn", "end_turn"]
    calls = [block.id for answer in answers for block in answer.content if block.type == "tool_use"]
    assert len(set(calls)) == 3
    assert len({answer.id for answer in answers}) == 4
    assert [block.type for block in second.content] == ["thinking", "tool_use"]
    assert third.content[-1].to_dict() == {"type": "text", "text": "All done."}
    for exchange, answer in zip(server.exchanges, answers, strict=True):
        assert answer.usage.cache_read_input_tokens == exchange.cached_tokens
        assert answer.usage.input_tokens == exchange.prefilled_tokens
        assert answer.usage.output_tokens == exchange.generated_tokens
    assert last.usage.cache_read_input_tokens


@pytest.mark.parametrize("stream", [False, True])
async def test_the_text_of_the_arguments_goes_back_as_the_model_wrote_it(
    stream: bool, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, f"arguments {stream}", stream=stream)
            answer = await talk.turn()
            call = next(block for block in answer.content if block.type == "tool_use")
            # As Claude Code returns it: keys reordered, a leading `cd` taken away.
            rewritten = {"type": "tool_use", "id": call.id, "name": "Bash"}
            rewritten["input"] = {"command": "ls", "note": "größer", "timeout": 5000}  # type: ignore[assignment]
            blocks = [rewritten if block is call else block for block in answer.content]
            talk.messages[1] = {"role": "assistant", "content": blocks}
            await talk.turn()
    first, second = server.exchanges
    assert second.request["messages"][2]["tool_calls"][0]["function"]["arguments"] == COMMAND
    assert second.prompt.startswith(first.prompt)
    assert second.prefilled_tokens == second.prompt_tokens - first.held_tokens


async def test_counting_is_the_engines_own_count(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, "counted", stream=False)
            for _ in range(2):
                fields = {name: value for name, value in talk._fields.items() if name != "max_tokens"}
                counted = await client.messages.count_tokens(messages=talk.messages, **fields)
                await talk.turn()
                assert counted.input_tokens == server.exchanges[-1].prompt_tokens > 100


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_asks_why_the_cache_missed_is_told(
    stream: bool, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            talk = Talk(client, f"why {stream}", stream=stream)
            answers: list[Message] = []

            async def turn(**fields: Any) -> Any:
                previous = answers[-1].id if answers else None
                talk._fields |= {"diagnostics": {"previous_message_id": previous}, **fields}
                answers.append(await talk.turn())
                told = answers[-1].diagnostics
                return told and told.cache_miss_reason

            assert await turn() is None
            assert await turn() is None
            tool = {**TOOL, "name": "Other"}
            changed = await turn(tools=[TOOL, tool], system=f"You are another one, {stream}. " + "Be careful. " * 100)
            assert changed.type == "system_changed"
            assert await turn() is None
            talk.messages[2]["content"][0]["content"] = "said anew"
            edited = await turn()
            assert edited.type == "messages_changed"
            answers[-1].id = "msg_unknown"
            assert (await turn()).type == "previous_message_not_found"
    # What it is about is about what the engine then had to process again.
    again = [
        before.held_tokens - now.cached_tokens
        for before, now in zip(server.exchanges, server.exchanges[1:], strict=False)
    ]
    for found, lost in ((changed, again[1]), (edited, again[3])):
        assert 0.5 * lost <= found.cache_missed_input_tokens <= 1.5 * lost


async def test_models_are_listed(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway(engine_for().url)
    async with client_of(gateway) as client:
        models = [model async for model in client.models.list()]
        assert len(models) == 1
        assert models[0].id.endswith(".gguf")
        assert models[0].created_at.year >= 2024
        assert (await client.models.retrieve(models[0].id)).id == models[0].id
        assert (await client.models.retrieve("claude-sonnet-4-6")).id == "claude-sonnet-4-6"


async def test_a_prompt_over_the_engines_context(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for(slots=2, context=4096).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 2048 maximum"):
                await client.messages.create(**ASK | {"messages": [{"role": "user", "content": "word " * 4000}]})


async def ask(client: anthropic.AsyncAnthropic, *, stream: bool) -> Message:
    """One request's answer."""
    if not stream:
        return await client.messages.create(**ASK)
    async with client.messages.stream(**ASK) as said:
        return await said.get_final_message()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Refuse(429, retry_after=3), anthropic.RateLimitError),
        (Refuse(503), anthropic.APIStatusError),
        (HangUp(after=-1), anthropic.InternalServerError),
        (StreamError(after=0), anthropic.APIStatusError),
        (HangUp(after=0), anthropic.APIStatusError),
    ],
)
async def test_errors_are_the_clients_own_kinds(
    fault: Fault, kind: type[anthropic.APIError], stream: bool, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT, faults=lambda index, body: fault) as server:
        gateway: Gateway = await open_gateway(server.url)
        async with client_of(gateway) as client:
            with pytest.raises(kind) as caught:
                await ask(client, stream=stream)
            if isinstance(caught.value, anthropic.RateLimitError):
                assert caught.value.response.headers["retry-after"] == "3"
            server.faults = None
            assert (await ask(client, stream=stream)).stop_reason == "end_turn"
