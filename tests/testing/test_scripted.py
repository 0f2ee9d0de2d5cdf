"""The scripted server: real counts, scripted words, slots left as a generating server leaves them."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise

import aiohttp
import pytest

from keepwarm.testing.scripted import Exchange, ScriptedServer
from keepwarm.testing.templates import NAMES
from keepwarm.testing.tiny_shapes import SHAPES, Memory
from tests.testing.conftest import EngineFor
from tests.testing.conversation import SCRIPT, TOOL, Conversation, ask, serving

_CREATED = re.compile(rb'"created":\d+')
"""The clock's word, in whole seconds."""


def new_tokens(before: Exchange, after: Exchange) -> int:
    """What an append-only turn has to process."""
    return after.prompt_tokens - before.held_tokens


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("template", NAMES)
async def test_an_append_only_loop_processes_each_token_once(
    engine_for: EngineFor, template: str, stream: bool
) -> None:
    async with serving(engine_for, template) as server:
        counted = await server.engine_prompt_tokens()
        talk = Conversation(server, f"append {template} {stream}", stream=stream, id_slot=1)
        usages = [await talk.turn() for _ in range(3)]
        exchanges = server.exchanges
        assert [exchange.slot for exchange in exchanges] == [1, 1, 1]
        assert [exchange.answer for exchange in exchanges] == list(SCRIPT.scripts["loop"])
        for before, after in pairwise(exchanges):
            assert after.prompt.startswith(before.prompt)
            assert after.prefilled_tokens == new_tokens(before, after)
            # The slot holds all of the answer but the token that ends the turn.
            assert before.held_tokens == before.prompt_tokens + before.generated_tokens - 1
        for exchange, usage in zip(exchanges, usages, strict=True):
            assert usage["prompt_tokens"] == exchange.prompt_tokens
            assert usage["prompt_tokens_details"]["cached_tokens"] == exchange.cached_tokens
            assert usage["completion_tokens"] == exchange.generated_tokens > 0
        counted = await server.engine_prompt_tokens() - counted
        assert counted == server.prefilled_total + server.fed_total


@pytest.mark.parametrize("memory", SHAPES)
async def test_generated_answers_are_in_the_slot_as_the_script_has_them(engine_for: EngineFor, memory: Memory) -> None:
    async with serving(engine_for, memory=memory, generating=True) as server:
        counted = await server.engine_prompt_tokens()
        talk = Conversation(server, f"generated {memory}", id_slot=1)
        usages = [await talk.turn() for _ in range(3)]
        for exchange, usage in zip(server.exchanges, usages, strict=True):
            assert exchange.held_tokens == exchange.prompt_tokens + exchange.generated_tokens - 1
            assert usage["completion_tokens"] == exchange.generated_tokens > 10
            # To generate behind a prompt that is there costs its last token, or what lies behind the last checkpoint.
            assert exchange.fed_tokens == (4 if memory in ("hybrid", "recurrent") else 1)
        for before, after in pairwise(server.exchanges):
            assert after.prefilled_tokens == new_tokens(before, after)
        counted = await server.engine_prompt_tokens() - counted
        assert counted == server.prefilled_total + server.fed_total


@pytest.mark.parametrize("generating", [True, False])
async def test_only_a_generated_answer_leaves_no_checkpoint_behind_it(engine_for: EngineFor, generating: bool) -> None:
    async with serving(engine_for, memory="recurrent", generating=generating) as server:
        talk = Conversation(server, f"no checkpoint {generating}", id_slot=0)
        await talk.turn()
        talk.messages[2]["tool_calls"][1]["function"]["arguments"] = '{"command": "ls"}'
        await talk.turn()
        first, second = server.exchanges
        # Back to the prompt's own checkpoint, or to the one that feeding the answer left in front of it.
        assert second.cached_tokens == first.prompt_tokens - (4 if generating else 0)


async def test_rewritten_arguments_cost_what_they_cost_in_life(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        talk = Conversation(server, "rewritten", id_slot=0)
        await talk.turn()
        call = talk.messages[2]["tool_calls"][0]["function"]
        call["arguments"] = json.dumps({"description": "look", "command": "ls"})
        await talk.turn()
        first, second = server.exchanges
        assert first.prompt_tokens < second.cached_tokens < first.held_tokens
        assert second.prefilled_tokens > new_tokens(first, second)


async def test_dropped_thinking_costs_the_whole_answer(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        talk = Conversation(server, "dropped", id_slot=0)
        await talk.turn()
        del talk.messages[2]["reasoning_content"]
        await talk.turn()
        first, second = server.exchanges
        assert first.prompt_tokens <= second.cached_tokens <= first.prompt_tokens + 1


async def test_two_conversations_keep_to_their_slots(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        talks = [Conversation(server, f"side by side {slot}", id_slot=slot) for slot in (0, 1)]
        for _ in range(3):
            await asyncio.gather(*(talk.turn() for talk in talks))
        for slot in (0, 1):
            mine = [exchange for exchange in server.exchanges if exchange.slot == slot]
            assert [after.prefilled_tokens for after in mine[1:]] == [
                new_tokens(before, after) for before, after in pairwise(mine)
            ]


async def test_without_a_slot_the_engine_chooses(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        talk = Conversation(server, "unpinned")
        for _ in range(3):
            await talk.turn()
        first, second, third = server.exchanges
        assert first.slot == second.slot == third.slot
        assert second.prefilled_tokens == new_tokens(first, second)


async def test_retries_get_the_same_words_and_ids_of_their_own(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server, serving(engine_for) as another:
        body = {"messages": [{"role": "user", "content": "SCRIPT loop"}], "tools": [TOOL]}
        answers = [(await ask(each, body))[0] for each in (server, server, another)]
        ids = [call.pop("id") for answer in answers for call in answer["tool_calls"]]
        assert len(set(ids)) == len(ids) == 6
        assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/props", None),
        ("GET", "/health", None),
        ("GET", "/v1/models", None),
        ("GET", "/nothing/here?at=all", None),
        ("POST", "/tokenize", b'{"content": "some words", "with_pieces": true}'),
        ("POST", "/apply-template", b'{"messages": [{"role": "user", "content": "hi"}]}'),
        ("POST", "/v1/chat/completions", b"not json"),
        ("POST", "/v1/chat/completions", b'["not an object"]'),
        ("POST", "/v1/chat/completions", b'{"messages": "not a list"}'),
        ("POST", "/v1/chat/completions", b'{"messages": [{"role": "user", "content": 3}]}'),
        (
            "POST",
            "/v1/chat/completions",
            json.dumps({"messages": [{"role": "user", "content": "x " * 40000}]}).encode(),
        ),
        ("POST", "/v1/chat/completions", b'{"messages": [{"role": "user", "content": [{"type": "nonsense"}]}]}'),
    ],
)
async def test_the_rest_and_the_errors_are_the_engines_own(
    engine_for: EngineFor, method: str, path: str, body: bytes | None
) -> None:
    async with serving(engine_for) as server, aiohttp.ClientSession() as session:
        answers = []
        for url in (server.engine_url, server.url):
            headers = {"Content-Type": "application/json"}
            async with session.request(method, url + path, data=body, headers=headers) as answer:
                told = _CREATED.sub(b"", await answer.read())
                answers.append((answer.status, answer.content_type, told))
        assert answers[0] == answers[1]
        assert server.exchanges == [] or server.exchanges[0].status == answers[0][0]


async def test_an_engine_that_is_not_there_is_told_at_the_start(free_port: int) -> None:
    server = ScriptedServer(f"http://127.0.0.1:{free_port}", SCRIPT)
    with pytest.raises(aiohttp.ClientConnectionError):
        await server.start()


async def test_it_can_be_stopped_twice_and_nobody_answers_after(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        await server.stop()
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get(server.url + "/health")
