"""What the client is told, byte for byte and through the official SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given

from keepwarm.codec.frames import SseDecoder
from keepwarm.core.answer import AnswerCollector, sign
from keepwarm.core.events import (
    Diagnosis,
    Event,
    Failed,
    Finished,
    Progress,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from keepwarm.wire.anthropic_stream import (
    MessageWriter,
    stop_reason,
    usage_fields,
    whole_message,
    whole_writer,
)
from tests.wire.rows import LONG_ID, ROWS, answers

GOLDEN = Path(__file__).parent / "golden"


def mint(number: int) -> str:
    return f"toolu_{number:02d}"


def writer() -> MessageWriter:
    return MessageWriter("msg_1", "local-model", mint)


def streamed(events: list[Event]) -> bytes:
    one = writer()
    return b"".join(one.feed(event) for event in events)


def told(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(frame.data) for frame in SseDecoder().feed(data)]


@pytest.mark.parametrize(
    ("diagnosis", "expected"),
    [
        (None, "absent"),
        (Diagnosis(), None),
        (Diagnosis("unavailable"), {"cache_miss_reason": {"type": "unavailable"}}),
        (
            Diagnosis("tools_changed", 7),
            {"cache_miss_reason": {"type": "tools_changed", "cache_missed_input_tokens": 7}},
        ),
    ],
)
def test_a_diagnosis_is_told_with_the_message(diagnosis: Diagnosis | None, expected: Any) -> None:
    rows: list[Event] = [*([diagnosis] if diagnosis else []), Started(), TextDelta("Hi"), Finished("end")]
    start = told(streamed(rows))[0]["message"]
    assert start.get("diagnostics", "absent") == expected
    whole = json.loads(whole_message("msg_1", "local-model", mint, rows))
    assert whole.get("diagnostics", "absent") == expected
    message = anthropic.types.Message.model_validate(whole)
    reason = message.diagnostics and message.diagnostics.cache_miss_reason
    assert (reason and reason.type) == (diagnosis.reason or None if diagnosis else None)


# Golden files: the stream and the body that each row of events becomes


@pytest.mark.parametrize("name", ROWS)
def test_the_stream_is_the_golden_one(name: str) -> None:
    assert streamed(ROWS[name]).decode() == (GOLDEN / f"{name}.sse").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in ROWS if name != "broken"])
def test_the_body_is_the_golden_one(name: str) -> None:
    body = whole_message("msg_1", "local-model", mint, ROWS[name])
    assert body.decode() + "\n" == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


# The official SDK reads it


def client(answer: bytes, kind: str, status: int = 200) -> anthropic.Anthropic:
    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"content-type": kind}, content=answer)

    return anthropic.Anthropic(
        api_key="dummy",
        base_url="http://127.0.0.1:9",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(handle)),
        _strict_response_validation=True,
    )


def content(answer: list[Event]) -> list[tuple[str, ...]]:
    collector = AnswerCollector(mint)
    for event in answer:
        collector.feed(event)
    return [
        (part.kind, part.call.id, part.call.name, part.call.arguments) if part.call else (part.kind, part.text)
        for part in collector.parts
    ]


def as_read(message: Any) -> list[tuple[str, ...]]:
    parts: list[tuple[str, ...]] = []
    for block in message.content:
        if block.type == "text":
            parts.append(("text", block.text))
        elif block.type == "thinking":
            assert block.signature == sign(block.thinking)
            parts.append(("thinking", block.thinking))
        else:
            parts.append(("call", block.id, block.name, json.dumps(block.input)))
    return parts


def same(read: list[tuple[str, ...]], meant: list[tuple[str, ...]]) -> None:
    """Equal, with the arguments of calls compared as values."""

    def values(parts: list[tuple[str, ...]]) -> list[Any]:
        return [(*part[:3], json.loads(part[3])) if part[0] == "call" else part for part in parts]

    assert values(read) == values(meant)


@given(answers())
def test_the_sdks_stream_has_the_whole_answer(events: list[Event]) -> None:
    one = writer()
    data = one.ping() + b"".join(one.feed(event) + one.ping() for event in events)
    with client(data, "text/event-stream").messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
    ) as stream:
        message = stream.get_final_message()
    same(as_read(message), content(events))
    assert one.answer.text == "".join(block.text for block in message.content if block.type == "text")
    usage = one.usage
    assert message.usage.cache_read_input_tokens == usage.cached_tokens
    assert message.usage.output_tokens == usage.output_tokens


@given(answers())
def test_the_sdk_reads_the_body(events: list[Event]) -> None:
    body = whole_message("msg_1", "local-model", mint, events)
    message = client(body, "application/json").messages.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
    )
    same(as_read(message), content(events))
    assert (message.id, message.model, message.role) == ("msg_1", "local-model", "assistant")


def test_the_sdk_raises_for_an_error_in_the_stream() -> None:
    with (
        client(streamed(ROWS["broken"]), "text/event-stream").messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
        ) as stream,
        pytest.raises(anthropic.APIStatusError, match="closed the connection"),
    ):
        stream.until_done()


# Order


@given(answers())
def test_blocks_open_and_close_one_after_the_other(events: list[Event]) -> None:
    rows = told(streamed(events))
    assert [row["type"] for row in rows[:1] + rows[-2:]] == ["message_start", "message_delta", "message_stop"]
    opened = -1
    is_open = False
    for row in rows[1:-2]:
        if row["type"] == "content_block_start":
            assert not is_open
            opened, is_open = opened + 1, True
        assert is_open
        assert row["index"] == opened
        is_open = row["type"] != "content_block_stop"
    assert not is_open


@given(answers())
def test_the_stream_and_the_body_keep_the_same_answer(events: list[Event]) -> None:
    one, other = writer(), whole_writer("msg_1", "local-model", mint)
    for event in events:
        one.feed(event)
        assert other.feed(event) == b""
    assert one.answer == other.answer
    assert one.usage == other.usage
    assert one.whole() == other.whole()


def test_a_stream_may_begin_with_its_first_words() -> None:
    rows = told(streamed([TextDelta("x"), Finished("end")]))
    assert [row["type"] for row in rows][:2] == ["message_start", "content_block_start"]
    assert streamed([Started(), Started()]).count(b"event: message_start") == 1


def test_nothing_is_said_after_the_end() -> None:
    for end in (Finished("end"), Failed(500, "x", "server")):
        one = writer()
        one.feed(end)
        assert one.feed(TextDelta("late")) == one.feed(Finished("end")) == one.ping() == b""
        assert one.fail(Failed(500, "x", "server")) == b""


def test_empty_pieces_open_no_block() -> None:
    rows = told(streamed([Started(), TextDelta(""), ThinkingDelta(""), Finished("end")]))
    assert [row["type"] for row in rows] == ["message_start", "message_delta", "message_stop"]


def test_a_servers_own_signature_goes_on_and_ends_its_block() -> None:
    rows = told(streamed([ThinkingDelta("a"), ThinkingDelta("", "SIG"), ThinkingDelta("b"), Finished("end")]))
    signatures = [row["delta"]["signature"] for row in rows if row.get("delta", {}).get("type") == "signature_delta"]
    assert signatures == ["SIG", sign("b")]


def test_calls_side_by_side_wait_for_the_one_before_to_be_whole() -> None:
    one = writer()
    one.feed(ToolStart(0, LONG_ID, "A"))
    one.feed(ToolDelta(0, '{"a":'))
    assert one.feed(ToolStart(1, "call_1", "B")) == one.feed(ToolDelta(1, '{"b"')) == b""
    rows = told(one.feed(ToolDelta(0, "1}")))
    assert [row["type"] for row in rows] == [
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]
    assert rows[-1]["delta"]["partial_json"] == '{"b"'
    assert told(one.feed(ToolDelta(1, ":2}")))[0]["delta"]["partial_json"] == ":2}"


def test_calls_that_still_wait_are_told_before_text_and_at_the_end() -> None:
    start: list[Event] = [ToolStart(0, "a", "A"), ToolStart(1, "b", "B"), ToolDelta(1, "{}")]
    for last in (TextDelta("x"), ThinkingDelta("x"), Finished("tools")):
        rows = told(streamed([*start, last]))
        names = [row["content_block"].get("name") for row in rows if row["type"] == "content_block_start"]
        assert names[:2] == ["A", "B"]


# Words and numbers


def test_a_client_gets_ids_that_stay_unique_and_the_answer_knows_both() -> None:
    one = writer()
    for event in ROWS["tools"]:
        one.feed(event)
    assert [(call.id, call.upstream_id) for call in one.answer.calls] == [("toolu_00", "call_0"), (LONG_ID, LONG_ID)]


def test_a_writer_for_the_servers_own_bytes_keeps_its_ids() -> None:
    one = MessageWriter("msg_1", "m", None)
    one.feed(ToolStart(0, "call_0", "Bash"))
    assert one.answer.calls[0].id == "call_0"


@pytest.mark.parametrize(
    ("usage", "fields"),
    [
        (Usage(), {"input_tokens": 0, "output_tokens": 0}),
        (Usage(100), {"input_tokens": 100, "output_tokens": 0}),
        (Usage(100, 0), {"input_tokens": 100, "cache_read_input_tokens": 0, "output_tokens": 0}),
        (Usage(100, 60, 5), {"input_tokens": 40, "cache_read_input_tokens": 60, "output_tokens": 5}),
        (Usage(None, 60), {"input_tokens": 0, "cache_read_input_tokens": 60, "output_tokens": 0}),
        (
            Usage(100, 60, 5, written_tokens=30),
            {
                "input_tokens": 10,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60,
                "output_tokens": 5,
            },
        ),
    ],
)
def test_usage_as_anthropic_counts(usage: Usage, fields: dict[str, int]) -> None:
    assert usage_fields(usage) == fields


def test_progress_before_the_start_is_in_the_start() -> None:
    (start,) = told(streamed([Progress(900, 640, 900, 1.0), Started()]))
    assert start["message"]["usage"] == {"input_tokens": 260, "cache_read_input_tokens": 640, "output_tokens": 0}


@pytest.mark.parametrize(
    ("reason", "has_calls", "word"),
    [
        ("end", False, "end_turn"),
        ("end", True, "tool_use"),
        ("tools", True, "tool_use"),
        ("tools", False, "end_turn"),
        ("length", True, "max_tokens"),
        ("stop", False, "stop_sequence"),
        ("refusal", False, "refusal"),
        ("pause_turn", False, "pause_turn"),
        ("eos", False, "end_turn"),
        ("eos", True, "tool_use"),
    ],
)
def test_stop_reasons(reason: str, has_calls: bool, word: str) -> None:
    assert stop_reason(reason, has_calls) == word


def test_what_was_cut_off_is_an_empty_object_in_a_body_and_stays_in_the_answer() -> None:
    other = whole_writer("msg_1", "m", mint)
    for event in ROWS["cut_off"]:
        other.feed(event)
    assert json.loads(other.whole())["content"][0]["input"] == {}
    assert other.answer.calls[0].arguments == '{"content":"The first half of'


def test_a_body_may_have_white_space_before_it_and_an_error_in_its_place() -> None:
    other = whole_writer("msg_1", "m", mint)
    other.feed(TextDelta("x"))
    body = json.loads(other.ping() + other.fail(Failed(529, "busy", "overloaded")))
    assert body["error"] == {"type": "overloaded_error", "message": "busy"}
