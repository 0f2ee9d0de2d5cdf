"""The official OpenAI client, unchanged, against the gateway in front of a real engine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from keepwarm.testing.faults import Fault, HangUp, Refuse, StreamError
from keepwarm.testing.scripted import ScriptedServer
from tests.shell.chat_talk import ChatTalk, openai_of
from tests.shell.conftest import OpenGateway, Records
from tests.shell.talk import COMMAND, LOOP, SCRIPT
from tests.testing.conftest import EngineFor

ASK: dict[str, Any] = {"model": "local", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_and_reasoning_and_only_what_is_new_is_processed(
    stream: bool, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        records = Records(gateway)
        async with openai_of(gateway) as client:
            talk = ChatTalk(client, f"chat sdk {stream}", stream=stream)
            answers = [await talk.turn() for _ in range(4)]
        await records.until(4)
    first, second, third, _ = [answer.choices[0].message for answer in answers]
    assert first.model_extra == {"reasoning_content": LOOP[0].thinking}
    assert first.content == LOOP[0].text
    assert first.tool_calls is not None
    assert [(call.function.name, call.function.arguments) for call in first.tool_calls] == [  # type: ignore[union-attr]
        ("Bash", COMMAND),
        ("Bash", '{"command": "pwd"}'),
    ]
    assert len(second.tool_calls or ()) == 1
    assert third.content == "All done."
    assert [answer.choices[0].finish_reason for answer in answers] == ["tool_calls", "tool_calls", "stop", "stop"]
    for before, exchange in pairwise(server.exchanges):
        assert exchange.prompt.startswith(before.prompt)
        assert exchange.prefilled_tokens == exchange.prompt_tokens - before.held_tokens
    for record, exchange in zip(records, server.exchanges, strict=True):
        assert (record.front, record.ending, record.kind) == ("chat", "done", "main")
        assert record.usage.cached_tokens == exchange.cached_tokens
        assert record.usage.prompt_tokens == exchange.prompt_tokens
    assert [record.verdict.outcome for record in records if record.verdict] == ["first", "hit", "hit", "hit"]


async def test_what_clients_change_goes_back_as_the_model_wrote_it(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway) as client:
            talk = ChatTalk(client, "chat habits")
            await talk.turn()
            said = talk.messages[2]
            del said["reasoning_content"]
            # As OpenCode returns it: written anew, with other keys first.
            said["tool_calls"][0]["function"]["arguments"] = (
                '{"command":"cd /project && ls","note":"größer","timeout":5000}'
            )
            await talk.turn()
    first, second = server.exchanges
    sent = second.request["messages"][2]
    assert sent["reasoning_content"] == LOOP[0].thinking
    assert sent["tool_calls"][0]["function"]["arguments"] == COMMAND
    assert second.prompt.startswith(first.prompt)
    assert second.prefilled_tokens == second.prompt_tokens - first.held_tokens


async def test_a_tool_that_comes_late_costs_no_break(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    late = {"type": "function", "function": {"name": "Search", "strict": True, "parameters": {"type": "object"}}}
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway) as client:
            talk = ChatTalk(client, "late tool")
            await talk.turn()
            talk._fields["tools"] = [*talk._fields["tools"], late]
            for _ in range(2):
                await talk.turn()
    for before, exchange in pairwise(server.exchanges):
        assert exchange.prompt.startswith(before.prompt)
        assert exchange.prefilled_tokens == exchange.prompt_tokens - before.held_tokens
    names = [tool["function"]["name"] for tool in server.exchanges[-1].request["tools"]]
    assert names == ["Bash", "Search"], "it can be called"
    assert "The tool Search is available now" in server.exchanges[-1].prompt


async def test_usage_is_told_to_who_asks_and_counts_what_the_engine_had(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway) as client:
            chunks = [
                chunk
                async for chunk in await client.chat.completions.create(
                    **ASK, stream=True, stream_options={"include_usage": True}
                )
            ]
            plain = [chunk async for chunk in await client.chat.completions.create(**ASK, stream=True)]
    usage = chunks[-1].usage
    assert chunks[-1].choices == []
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    told = (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens, usage.completion_tokens)
    first = server.exchanges[0]
    assert told == (first.prompt_tokens, first.cached_tokens, first.generated_tokens)
    assert all(chunk.choices and chunk.usage is None for chunk in plain)


async def test_models_are_the_servers_own_list(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway(engine_for().url)
    async with openai_of(gateway) as client:
        models = [model async for model in client.models.list()]
    assert len(models) == 1
    assert models[0].id.endswith(".gguf")
    assert models[0].object == "model"
    assert models[0].created > 0


async def test_a_prompt_over_the_engines_context(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for(slots=2, context=4096).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway) as client:
            with pytest.raises(openai.BadRequestError, match="exceeds the available context size") as caught:
                await client.chat.completions.create(
                    **ASK | {"messages": [{"role": "user", "content": "word " * 4000}]}
                )
    assert caught.value.type == "exceed_context_size_error", "the server's own words"


async def ask(client: openai.AsyncOpenAI, *, stream: bool) -> ChatCompletion:
    """One request's answer."""
    if not stream:
        answer: ChatCompletion = await client.chat.completions.create(**ASK)
        return answer
    async with client.chat.completions.stream(**ASK) as said:
        return await said.get_final_completion()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Refuse(429, retry_after=3), openai.RateLimitError),
        (Refuse(503), openai.InternalServerError),
        (HangUp(after=-1), openai.InternalServerError),
        (StreamError(after=0), openai.APIError),
        (HangUp(after=0), openai.APIError),
    ],
)
async def test_errors_are_the_clients_own_kinds(
    fault: Fault, kind: type[openai.APIError], stream: bool, engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT, faults=lambda index, body: fault) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway) as client:
            with pytest.raises(kind) as caught:
                await ask(client, stream=stream)
            if isinstance(caught.value, openai.RateLimitError):
                assert caught.value.response.headers["retry-after"] == "3"
            server.faults = None
            assert (await ask(client, stream=stream)).choices[0].finish_reason == "stop"


async def test_what_cannot_be_read_is_refused_in_the_clients_own_kind(
    engine_for: EngineFor, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway(engine_for().url)
    async with openai_of(gateway) as client:
        with pytest.raises(openai.BadRequestError, match=r"Missing required parameter: 'messages\[0\].role'") as caught:
            await client.chat.completions.create(**ASK | {"messages": [{"content": "hello"}]})
    assert caught.value.param == "messages[0].role"
