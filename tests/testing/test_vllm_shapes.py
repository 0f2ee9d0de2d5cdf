"""The streams that vLLM writes: the pieces make the whole, and the counts stand where vLLM puts them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.testing.agent_player import ChatAnswer, MessagesAnswer
from keepwarm.testing.answers import Answer
from keepwarm.testing.vllm_shapes import DONE, ChatStream, Counted, MessagesStream

LONG = Answer(
    "Some words that are longer than a single piece is.",
    thinking="Thoughts that are longer than a single piece is.",
    tool_calls=(("Bash", json.dumps({"command": "echo " + "é" * 40})), ("Read", "{}")),
)
COUNTED = Counted(100, 64)


def events(stream: bytes) -> list[Any]:
    lines = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ") and line[6:] != b"[DONE]"]
    return [json.loads(line) for line in lines]


def whole(shape: ChatStream | MessagesStream, counted: Counted = COUNTED) -> bytes:
    return shape.start(counted) + b"".join(shape.deltas(LONG, ("a", "b"))) + shape.ending(LONG, counted, 7)


def chat(*, with_usage: bool = True) -> ChatStream:
    return ChatStream(name="x", model="m", created=1, with_usage=with_usage)


@pytest.mark.parametrize("shape", [chat(), MessagesStream(name="x", model="m")])
def test_the_pieces_make_the_whole(shape: ChatStream | MessagesStream) -> None:
    answer = ChatAnswer() if isinstance(shape, ChatStream) else MessagesAnswer()
    for event in events(whole(shape)):
        answer.take(event)
    thinking, words, *calls = answer.blocks()
    assert (thinking["thinking"], words["text"]) == (LONG.thinking, LONG.text)
    assert [(call["id"], call["input"]) for call in calls] == [
        ("a", {"command": "echo " + "é" * 40}),
        ("b", {}),
    ]


def test_reasoning_goes_by_the_name_that_vllm_has_for_it() -> None:
    assert events(b"".join(chat().deltas(LONG, ("a", "b"))))[0]["choices"][0]["delta"] == {
        "reasoning": "Thoughts that are longer"
    }


@pytest.mark.parametrize(("counted", "told"), [(COUNTED, {"cached_tokens": 64}), (Counted(100, None), None)])
def test_the_usage_of_a_chat_comes_last_where_it_was_asked_for(counted: Counted, told: object) -> None:
    stream = whole(chat(), counted)
    assert stream.endswith(DONE)
    usage = events(stream)[-1]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (100, 7, 107)
    assert usage.get("prompt_tokens_details") == told
    assert all("usage" not in event for event in events(whole(chat(with_usage=False), counted)))


def test_messages_tell_of_the_cache_at_the_end_only() -> None:
    row = events(whole(MessagesStream(name="x", model="m")))
    assert row[0]["message"]["usage"] == {"input_tokens": 100, "output_tokens": 0}
    assert row[-2]["usage"] == {"input_tokens": 36, "output_tokens": 7, "cache_read_input_tokens": 64}
    assert row[-2]["delta"]["stop_reason"] == "tool_use"
    silent = events(whole(MessagesStream(name="x", model="m"), Counted(100, None)))
    assert silent[-2]["usage"] == {"input_tokens": 100, "output_tokens": 7}
