"""The chunks have the fields that the real server's have, and the pieces make the whole."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import ChatShape, Counts, error_body
from tests.testing.conftest import EngineFor

SHAPE = ChatShape(completion_id="chatcmpl-1", model="tiny", created=1)
COUNTS = Counts(cached=90, prefilled=10, generated=7, prompt_ms=20.0)
LONG = Answer(
    "Some words that are longer than a single piece is.",
    thinking="Thoughts that are longer than a single piece is.",
    tool_calls=(("Bash", json.dumps({"command": "echo " + "é" * 40})), ("Read", "{}"), ("Odd", "")),
)
CALL_IDS = ("a", "b", "c")


def chunks(stream: bytes) -> list[Any]:
    """The JSON of each event, "[DONE]" as that string."""
    lines = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]
    return ["[DONE]" if line == b"[DONE]" else json.loads(line) for line in lines]


def fields(value: Any) -> Any:
    """The names and types of a JSON value, numbers all alike; the words of strings do not matter."""
    match value:
        case dict():
            return {name: fields(inner) for name, inner in value.items()}
        case list():
            return [fields(inner) for inner in value]
        case int() | float():
            return "number"
        case str():
            return "string"
    return value


async def ask_really(engine_url: str, **more: Any) -> bytes:
    # Several words that do not depend on chance: the model's noise may begin with its end, or with half a character.
    settings = {"max_tokens": 8, "temperature": 0, "ignore_eos": True}
    body = {"messages": [{"role": "user", "content": "shapes " * 30}], **settings, **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(engine_url + "/v1/chat/completions", json=body) as answer,
    ):
        return await answer.read()


@pytest.mark.parametrize("with_usage", [True, False])
async def test_a_stream_has_the_real_servers_fields(engine_for: EngineFor, with_usage: bool) -> None:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if with_usage else {}
    real = chunks(await ask_really(engine_for().url, stream=True, return_progress=True, **more))
    words = Answer("One.", finish="length")
    progress = {"total": 10, "cache": 0, "processed": 5, "time_ms": 1}
    ours = SHAPE.progress(progress) + SHAPE.role() + b"".join(SHAPE.deltas(words, ()))
    ours += SHAPE.ending(words, COUNTS, with_usage=with_usage)
    # However many progress chunks and words the real one sent, one of each kind.
    kinds = {json.dumps(fields(chunk), sort_keys=True) for chunk in real}
    assert {json.dumps(fields(chunk), sort_keys=True) for chunk in chunks(ours)} == kinds
    assert list(chunks(ours)[-2]) == list(real[-2])


async def test_a_whole_answer_has_the_real_servers_fields(engine_for: EngineFor) -> None:
    real = json.loads(await ask_really(engine_for().url))
    ours = json.loads(SHAPE.whole(Answer("One."), (), COUNTS))
    assert fields(ours) == fields(real)


async def test_an_error_has_the_real_servers_fields(engine_for: EngineFor) -> None:
    real = json.loads(await ask_really(engine_for().url, messages=[{"role": "user", "content": 3}]))
    assert fields(error_body(400, "no", "invalid_request_error")) == fields(real)


def test_the_pieces_make_the_whole() -> None:
    thinking, text, names, arguments = "", "", dict[int, str](), dict[int, str]()
    order = []
    for chunk in chunks(b"".join(SHAPE.deltas(LONG, CALL_IDS))):
        delta = chunk["choices"][0]["delta"]
        (kind,) = delta
        order.append(kind)
        thinking += delta.get("reasoning_content", "")
        text += delta.get("content", "")
        for call in delta.get("tool_calls", []):
            index = call["index"]
            if index not in names:
                assert (call["id"], call["type"]) == (CALL_IDS[index], "function")
                names[index] = call["function"]["name"]
            else:
                assert call.keys() == {"index", "function"}
                assert call["function"].keys() == {"arguments"}
            arguments[index] = arguments.get(index, "") + call["function"]["arguments"]
    assert (thinking, text) == (LONG.thinking, LONG.text)
    assert tuple((names[index], arguments[index]) for index in names) == LONG.tool_calls
    assert order == sorted(order, key=["reasoning_content", "content", "tool_calls"].index)
    assert len(order) > 2 * len(set(order))


def test_the_whole_holds_what_the_stream_holds() -> None:
    whole = json.loads(SHAPE.whole(LONG, CALL_IDS, COUNTS))
    message = whole["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (LONG.text, LONG.thinking)
    assert [call["id"] for call in message["tool_calls"]] == list(CALL_IDS)
    assert [tuple(call["function"].values()) for call in message["tool_calls"]] == list(LONG.tool_calls)
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert (
        json.loads(SHAPE.whole(Answer(tool_calls=(("A", "{}"),)), ("x",), COUNTS))["choices"][0]["message"]["content"]
        is None
    )


def test_the_counts_add_up() -> None:
    usage, timings = COUNTS.usage(), COUNTS.timings()
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (100, 90)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] == 107
    assert (timings["cache_n"], timings["prompt_n"], timings["prompt_ms"]) == (90, 10, 20.0)
    assert (timings["prompt_per_token_ms"], timings["prompt_per_second"]) == (2.0, 500.0)
    assert Counts(cached=1, prefilled=0, generated=0, prompt_ms=0.0).timings()["prompt_per_second"] == 0.0
