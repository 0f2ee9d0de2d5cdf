"""Reading an Anthropic answer as it passes by: what keepwarm writes, and what other servers send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.core.answer import AnswerCollector
from keepwarm.core.events import (
    Event,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from keepwarm.upstream.anthropic_stream import AnthropicReader
from keepwarm.wire.anthropic_stream import MessageWriter, whole_message
from tests.wire.rows import ROWS, answers


def stream(*rows: dict[str, Any]) -> bytes:
    return b"".join(f"event: {row['type']}\ndata: {json.dumps(row)}\n\n".encode() for row in rows)


def read(data: bytes, cuts: list[int] | None = None, streaming: bool = True) -> list[Event]:
    reader = AnthropicReader(streaming)
    places = sorted(cut % (len(data) + 1) for cut in cuts or [])
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


def unsigned(events: list[Event]) -> list[Event]:
    """Without the signatures that keepwarm's own writer gives."""
    return [event for event in events if not (isinstance(event, ThinkingDelta) and event.signature and not event.text)]


def mint(number: int) -> str:
    return f"toolu_{number}"


def written(events: list[Event]) -> bytes:
    writer = MessageWriter("msg_1", "tiny", mint)
    return writer.ping() + b"".join(writer.feed(event) for event in events)


@given(answers(), st.lists(st.integers(min_value=0), max_size=6))
@example(ROWS["text"], [10, 11])
def test_what_was_written_reads_as_the_same_events(events: list[Event], cuts: list[int]) -> None:
    events = [Started("msg_1", "tiny"), *events[1:]]
    assert unsigned(read(written(events), cuts)) == events


@given(answers(), st.lists(st.integers(min_value=0), max_size=3))
def test_a_written_body_reads_as_the_same_answer(events: list[Event], cuts: list[int]) -> None:
    body = whole_message("msg_1", "tiny", mint, events)
    one, other = AnswerCollector(), AnswerCollector()
    for event in events:
        one.feed(event)
    for event in read(b" " + body, cuts, streaming=False):
        other.feed(event)
    assert other.parts == one.parts
    assert other.answer == one.answer
    assert other.usage == one.usage


def test_a_stream_that_breaks_off_has_failed_with_what_was_counted() -> None:
    start = {
        "type": "message_start",
        "message": {"id": "m", "usage": {"input_tokens": 5, "cache_read_input_tokens": 3}},
    }
    *_, last = read(stream(start))
    assert last == Failed(0, "the model server ended its answer in the middle", "broken", usage=Usage(8, 3))
    *_, last = read(b"")
    assert isinstance(last, Failed)


def test_a_stream_may_leave_message_stop_out() -> None:
    tail = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 4}}
    assert read(stream(tail)) == [Finished("length", usage=Usage(output_tokens=4))]


def test_what_follows_the_end_is_not_told() -> None:
    stop, late = {"type": "message_stop"}, {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}
    assert read(stream(stop, late)) == [Finished("end")]


@pytest.mark.parametrize(
    ("error_type", "status", "kind"),
    [
        ("overloaded_error", 529, "overloaded"),
        ("rate_limit_error", 429, "rate_limit"),
        ("api_error", 500, "server"),
        ("authentication_error", 401, "auth"),
        ("some_new_error", 500, "server"),
    ],
)
def test_an_error_event_is_a_failure(error_type: str, status: int, kind: str) -> None:
    row = {"type": "error", "error": {"type": error_type, "message": "No."}}
    assert read(stream(row)) == [Failed(status, "No.", kind)]


def test_an_overflow_in_the_stream_is_one() -> None:
    error = {"type": "invalid_request_error", "message": "prompt is too long: 9000 tokens > 8192 maximum"}
    (failed,) = read(stream({"type": "error", "error": error}))
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.status) == ("overflow", 400)


def test_counts_of_the_start_stand_where_the_end_says_nothing_or_0() -> None:
    start = {"input_tokens": 7, "cache_read_input_tokens": 90, "output_tokens": 1}
    for end in ({"output_tokens": 12}, {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 12}):
        rows = stream(
            {"type": "message_start", "message": {"id": "m", "model": "x", "usage": start}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
            {"type": "message_stop"},
        )
        assert read(rows)[-1] == Finished("end", usage=Usage(97, 90, 12))


def test_counts_of_the_end_replace_those_of_the_start() -> None:
    end = {"input_tokens": 4, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 86, "output_tokens": 12}
    rows = stream(
        {"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": end},
        {"type": "message_stop"},
    )
    assert read(rows)[-1] == Finished("end", usage=Usage(100, 86, 12, written_tokens=10))


def test_a_reported_0_of_the_cache_is_told_and_silence_is_not_0() -> None:
    for counts, cached in (({"input_tokens": 9, "cache_read_input_tokens": 0}, 0), ({"input_tokens": 9}, None)):
        rows = stream({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts})
        assert read(rows) == [Finished("end", usage=Usage(9, cached))]


def test_input_given_with_the_start_of_a_call_is_its_argument_text() -> None:
    block = {"type": "tool_use", "id": "t", "name": "Read", "input": {"file_path": "/a"}}
    rows = stream({"type": "content_block_start", "index": 3, "content_block": block})
    assert read(rows)[:2] == [ToolStart(0, "t", "Read"), ToolDelta(0, '{"file_path": "/a"}')]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    rows = stream(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "Now"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_stop", "index": 0},
    )
    assert read(rows)[:2] == [ToolStart(0, "t", "Now"), ToolDelta(0, "{}")]


def test_a_servers_signature_is_kept() -> None:
    rows = stream(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "SIG"}},
    )
    assert read(rows)[:2] == [ThinkingDelta("hm"), ThinkingDelta("", "SIG")]


def test_what_is_not_known_or_cannot_be_read_is_passed_over() -> None:
    odd = (
        stream(
            {"type": "brand_new_event", "x": 1},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{"}},
            {"type": "content_block_delta", "index": 9, "delta": {"type": "brand_new_delta"}},
            {"type": "message_start"},
            {"type": "content_block_delta"},
        )
        + b"event: ping\ndata: {}\n\ndata: {not json\n\ndata: \xff\n\ndata: [1]\n\ndata: "
        + b"[" * 100_000
        + b"\n\n"
    )
    text = stream({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}})
    assert read(odd + text)[0] == TextDelta("x")


def test_an_error_body_and_an_unreadable_one_are_failures() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    assert read(body, streaming=False) == [Failed(529, "busy", "overloaded")]
    for odd in (b"", b"<html>", b'{"id":"x","content":[]}', b"\xff"):
        (failed,) = read(odd, streaming=False)
        assert isinstance(failed, Failed)
        assert replace(failed, message="") == Failed(0, "", "broken")
