"""llama.cpp's Messages API as the scripted server speaks it, held against the real one."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from keepwarm.engine.llama import Engine
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from keepwarm.testing.messages_shapes import MessagesShape, as_chat, hoisted
from keepwarm.testing.scripted import ScriptedServer
from keepwarm.upstream.anthropic_stream import AnthropicReader
from tests.testing.conftest import EngineFor

Json = dict[str, Any]
SCHEMA: Json = {"type": "object", "properties": {"path": {"type": "string"}}}
CALLS = [
    {"type": "tool_use", "id": "toolu_1", "name": "Look", "input": {"path": "a", "deep": [1, 2.5, None]}},
    {"type": "tool_use", "id": "toolu_2", "name": "Look", "input": {"path": "ü"}},
]
RESULTS = [
    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "nothing there"},
    {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": text} for text in "ab"]},
]
THINKING = {"type": "thinking", "thinking": "Where am I?", "signature": "x"}
TEXTS = [{"type": "text", "text": "look"}, {"type": "text", "text": ""}, {"type": "text", "text": "around"}]
MESSAGES: dict[str, list[Json]] = {
    "a string": [{"role": "user", "content": "look around"}],
    "texts": [{"role": "user", "content": TEXTS}],
    "a tool loop": [
        {"role": "user", "content": "look around"},
        {"role": "assistant", "content": [THINKING, {"type": "text", "text": "I look."}, *CALLS]},
        {"role": "user", "content": RESULTS},
    ],
    "words behind results": [
        {"role": "user", "content": "look around"},
        {"role": "assistant", "content": CALLS},
        {"role": "user", "content": [*RESULTS, {"type": "text", "text": "be quick"}]},
    ],
    "an inline system message": [
        {"role": "user", "content": "look around"},
        {"role": "system", "content": "The list is empty."},
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        {"role": "user", "content": [{"type": "text", "text": "again"}]},
        {"role": "system", "content": [{"type": "text", "text": "Still."}]},
    ],
}


def body(messages: list[Json], **fields: Any) -> Json:
    """A Messages body with a system prompt of two blocks and a tool."""
    system = [{"type": "text", "text": "You are careful."}, {"type": "text", "text": "Be brief.\n"}]
    tools = [{"name": "Look", "description": "Looks.", "input_schema": SCHEMA}]
    return {"model": "m", "max_tokens": 1, "system": system, "tools": tools, "messages": messages, **fields}


async def ask(url: str, path: str, asked: Json) -> Json:
    """The answer's JSON."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(url + path, json=asked) as answer,
    ):
        data = await answer.read()
        assert answer.status == 200, data
        return dict(json.loads(data))


@pytest.mark.parametrize("template", ["qwen_like", "tools_first"])
@pytest.mark.parametrize("name", MESSAGES)
async def test_a_request_is_translated_as_the_server_does_it(engine_for: EngineFor, template: str, name: str) -> None:
    engine: Engine = engine_for(template)
    asked = body(MESSAGES[name], id_slot=0)
    prompt = (await ask(engine.url, "/apply-template", as_chat(asked)))["prompt"]
    tokens = await ask(engine.url, "/tokenize", {"content": prompt, "add_special": True, "parse_special": True})
    await ask(engine.url, "/completion", {"prompt": prompt, "n_predict": 0, "id_slot": 0})
    usage = (await ask(engine.url, "/v1/messages", asked))["usage"]
    # All of it was in the slot; the last token is always run.
    assert usage["cache_read_input_tokens"] == len(tokens["tokens"]) - 1
    assert usage["input_tokens"] == 1


def test_a_hoisting_server_puts_inline_system_messages_at_the_head() -> None:
    chat = hoisted(as_chat(body(MESSAGES["an inline system message"])))
    assert chat["messages"][0]["content"] == "You are careful.Be brief.\n\n\nThe list is empty.\n\nStill."
    assert [message["role"] for message in chat["messages"]] == ["system", "user", "assistant", "user"]


ANSWER = Answer(
    "I look into it, and then I look again.", "Where is it? Surely here.", (("Look", '{"path": "a"}'), ("Look", "{}"))
)


def test_a_streamed_answer_is_read_as_it_was_written() -> None:
    shape, counts = MessagesShape(message_id="msg_1", model="m"), Counts(90, 10, 7, 1.0)
    stream = shape.start(counts) + b"".join(shape.deltas(ANSWER, ("c1", "c2")))
    reader = AnthropicReader()
    events = [*reader.feed(stream + shape.ending(ANSWER, counts, with_usage=True)), *reader.finish()]
    assert said(events) == (ANSWER.thinking, ANSWER.text, [("c1", "Look", '{"path": "a"}'), ("c2", "Look", "{}")])
    usage = events[-1].usage  # type: ignore[union-attr]
    assert (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens) == (100, 90, 7)


def test_a_whole_answer_is_read_as_it_was_written() -> None:
    shape = MessagesShape(message_id="msg_1", model="m")
    reader = AnthropicReader(stream=False)
    reader.feed(shape.whole(ANSWER, ("c1", "c2"), Counts(90, 10, 7, 1.0)))
    assert said(reader.finish())[0] == ANSWER.thinking


def said(events: list[Any]) -> tuple[str, str, list[tuple[str, str, str]]]:
    """(reasoning, words, calls) of core events."""
    from keepwarm.core.answer import AnswerCollector

    collector = AnswerCollector()
    for event in events:
        collector.feed(event)
    answer = collector.answer
    return answer.thinking, answer.text, [(call.id, call.name, call.arguments) for call in answer.calls]


async def test_the_scripted_server_answers_messages_with_the_engines_counts(engine_for: EngineFor) -> None:
    async with ScriptedServer(engine_for("tools_first").url, lambda _: ANSWER, messages=True) as server:
        asked = body([{"role": "user", "content": "a word about the shapes of messages"}], stream=False)
        first = await ask(server.url, "/v1/messages", asked)
        history = [*asked["messages"], {"role": "assistant", "content": first["content"]}]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "ok"}
            for block in first["content"]
            if block["type"] == "tool_use"
        ]
        second = await ask(
            server.url, "/v1/messages", asked | {"messages": [*history, {"role": "user", "content": results}]}
        )
    assert [block["type"] for block in first["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert first["stop_reason"] == "tool_use"
    held = server.exchanges[0].held_tokens
    assert second["usage"]["cache_read_input_tokens"] == server.exchanges[1].cached_tokens == held
