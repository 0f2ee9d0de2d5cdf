"""What a client of chat completions is told, byte for byte and through the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given

from keepwarm.codec.frames import SseDecoder
from keepwarm.core.events import Event, Finished, Progress, Started, ToolDelta, ToolStart, Usage
from keepwarm.wire.openai_chat_stream import ChunkWriter, Head, completion_writer, finish_reason, usage_fields
from tests.wire.rows import ROWS, answers

GOLDEN = Path(__file__).parent / "golden" / "chat"
HEAD = Head("chatcmpl-1", 1_700_000_000, "local-model")


def mint(number: int) -> str:
    return f"call_{number:02d}"


def streamed(events: list[Event], *, usage: bool = True) -> bytes:
    writer = ChunkWriter(HEAD, mint, usage)
    return b"".join(writer.feed(event) for event in events)


def whole(events: list[Event]) -> bytes:
    writer = completion_writer(HEAD, mint)
    for event in events:
        writer.feed(event)
    return writer.whole()


def told(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(frame.data) for frame in SseDecoder().feed(data) if frame.data != b"[DONE]"]


# Golden files


@pytest.mark.parametrize("name", ROWS)
def test_the_stream_is_the_golden_one(name: str) -> None:
    assert streamed(ROWS[name]).decode() == (GOLDEN / f"{name}.sse").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in ROWS if name != "broken"])
def test_the_body_is_the_golden_one(name: str) -> None:
    assert whole(ROWS[name]).decode() + "\n" == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


# The official SDK reads it


def client(answer: bytes, kind: str) -> openai.OpenAI:
    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=answer)

    return openai.OpenAI(
        api_key="dummy",
        base_url="http://127.0.0.1:9/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(handle)),
    )


def check(message: Any, events: list[Event]) -> None:
    """The message says what the events say."""
    writer = ChunkWriter(HEAD, mint, False)
    for event in events:
        writer.feed(event)
    answer = writer.answer
    assert (message.content or "") == answer.text
    assert (message.model_extra or {}).get("reasoning_content", "") == answer.thinking
    calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    assert calls == [(call.id, call.name, call.arguments) for call in answer.calls]


@given(answers())
def test_the_sdk_reads_the_stream(events: list[Event]) -> None:
    writer = ChunkWriter(HEAD, mint, True)
    data = writer.ping() + b"".join(writer.feed(event) + writer.ping() for event in events)
    ask = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    words, reasoning = "", ""
    calls: dict[int, list[str]] = {}
    reasons: list[str] = []
    for chunk in client(data, "text/event-stream").chat.completions.create(**ask, stream=True):  # type: ignore[call-overload]
        for choice in chunk.choices:
            words += choice.delta.content or ""
            reasoning += (choice.delta.model_extra or {}).get("reasoning_content", "")
            reasons += [choice.finish_reason] if choice.finish_reason else []
            for call in choice.delta.tool_calls or ():
                known = calls.setdefault(call.index, ["", "", ""])
                known[0] += call.id or ""
                known[1] += call.function.name or ""
                known[2] += call.function.arguments or ""
        usage = chunk.usage
    answer = writer.answer
    assert (words, reasoning) == (answer.text, answer.thinking)
    assert [tuple(calls[at]) for at in sorted(calls)] == [(one.id, one.name, one.arguments) for one in answer.calls]
    assert len(reasons) == 1
    assert usage is not None
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    assert (usage.prompt_tokens, cached) == (writer.usage.prompt_tokens or 0, writer.usage.cached_tokens)


@given(answers())
def test_the_sdk_reads_the_body(events: list[Event]) -> None:
    ask: Any = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    completion = client(whole(events), "application/json").chat.completions.create(**ask)
    check(completion.choices[0].message, events)
    assert completion.created == HEAD.created


# Rules of the protocol


def test_usage_is_told_only_to_who_asked() -> None:
    assert b"usage" not in streamed(ROWS["tools"], usage=False)
    chunks = told(streamed(ROWS["tools"]))
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 640}


def test_what_a_server_does_not_report_is_left_out() -> None:
    fields = usage_fields(Usage(prompt_tokens=120, output_tokens=9))
    assert fields == {"prompt_tokens": 120, "completion_tokens": 9, "total_tokens": 129}
    assert usage_fields(Usage(0, 0, 0))["prompt_tokens_details"] == {"cached_tokens": 0}


@pytest.mark.parametrize(
    ("reason", "calls", "word"),
    [
        ("end", False, "stop"),
        ("end", True, "tool_calls"),
        ("tools", True, "tool_calls"),
        ("tools", False, "stop"),
        ("length", True, "length"),
        ("stop", False, "stop"),
        ("refusal", False, "content_filter"),
        ("eos", False, "stop"),
    ],
)
def test_the_reason_is_one_of_the_protocols(reason: str, calls: bool, word: str) -> None:
    assert finish_reason(reason, calls) == word


def test_the_first_chunk_says_who_speaks_and_every_stream_ends_in_done() -> None:
    short: list[Event] = [Finished("end")]
    for events in (ROWS["text"], short):
        data = streamed(events)
        assert told(data)[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
        assert data.endswith(b"data: [DONE]\n\n")


def test_a_prompt_that_is_processed_is_no_chunk() -> None:
    writer = ChunkWriter(HEAD, mint, False)
    assert writer.feed(Progress(900, 640, 700, 1.0)) == b""
    assert writer.usage == Usage(900, 640)


def test_a_delta_of_a_call_that_has_not_begun_is_passed_over() -> None:
    writer = ChunkWriter(HEAD, mint, False)
    writer.feed(Started())
    assert writer.feed(ToolDelta(3, "{}")) == b""
    assert writer.feed(ToolStart(3, "call_0", "Bash")).count(b'"id":"call_00"') == 1
    assert b'"index":0' in writer.feed(ToolDelta(3, "{}"))
