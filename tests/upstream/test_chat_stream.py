"""Reading chat completions: streams as llama.cpp writes them, cut at any byte, and answers in one piece."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keepwarm.core.answer import AnswerCollector
from keepwarm.core.events import (
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
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import DONE, ChatShape, Counts, error_body, event
from keepwarm.upstream.chat_stream import ChatReader

SHAPE: Final = ChatShape(completion_id="chatcmpl-1", model="tiny", created=1)
COUNTS: Final = Counts(cached=90, prefilled=10, generated=7, prompt_ms=20.0)
USAGE: Final = Usage(100, 90, 7, 20.0, 0.0)
PROGRESS: Final = {"total": 100, "cache": 90, "processed": 95, "time_ms": 12.5}
CALL_ID: Final = "Zb8w2mB0QmB2xXq9J3kY7uP1nR5tV4cD"
BROKEN: Final = "the model server ended its answer in the middle"

_words = st.text(max_size=60)
answers = st.builds(
    Answer,
    _words,
    thinking=_words,
    tool_calls=st.lists(st.tuples(st.sampled_from(("Bash", "Read")), _words), max_size=3).map(tuple),
)


def ids(answer: Answer) -> tuple[str, ...]:
    return tuple(f"{CALL_ID}{at}" for at in range(len(answer.tool_calls)))


def written(answer: Answer, *, progress: bool = True, with_usage: bool = True) -> bytes:
    parts = [SHAPE.progress(PROGRESS)] if progress else []
    parts += [SHAPE.role(), *SHAPE.deltas(answer, ids(answer)), SHAPE.ending(answer, COUNTS, with_usage=with_usage)]
    return b"".join(parts)


def read(data: bytes, cuts: list[int] | None = None, *, streaming: bool = True) -> list[Event]:
    reader = ChatReader(streaming)
    places = sorted(cut % (len(data) + 1) for cut in cuts or [])
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    return [found for piece in pieces for found in reader.feed(piece)] + reader.finish()


def collected(events: list[Event]) -> AnswerCollector:
    collector = AnswerCollector()
    for one in events:
        collector.feed(one)
    return collector


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish, **more}]})


# Whole streams


def test_a_stream_as_llamacpp_writes_it() -> None:
    answer = Answer("Looking.", thinking="I list.", tool_calls=(("Bash", '{"command":"ls -la"}'),))
    assert read(written(answer)) == [
        Progress(100, 90, 95, 12.5),
        Started("chatcmpl-1", "tiny"),
        ThinkingDelta("I list."),
        TextDelta("Looking."),
        ToolStart(0, CALL_ID + "0", "Bash"),
        ToolDelta(0, '{"command":"ls -la"}'),
        Finished("tools", usage=USAGE),
    ]


@given(answers, st.booleans(), st.booleans(), st.lists(st.integers(min_value=0), max_size=8))
@example(Answer("ä😀"), True, True, [600, 601, 602])
def test_wherever_a_stream_is_cut_it_reads_the_same(
    answer: Answer, progress: bool, with_usage: bool, cuts: list[int]
) -> None:
    data = written(answer, progress=progress, with_usage=with_usage)
    events = read(data, cuts)
    assert events == read(data)
    made = collected(events).answer
    assert (made.text, made.thinking) == (answer.text, answer.thinking)
    assert tuple((call.name, call.arguments) for call in made.calls) == answer.tool_calls
    assert tuple(call.upstream_id for call in made.calls) == ids(answer)
    assert collected(events).usage == USAGE
    assert [type(one) for one in events if isinstance(one, Finished | Failed)] == [Finished]
    assert isinstance(events[-1], Finished)


@given(answers)
def test_an_answer_in_one_piece_reads_as_its_stream(answer: Answer) -> None:
    whole, streamed = (
        collected(read(SHAPE.whole(answer, ids(answer), COUNTS), [9], streaming=False)),
        collected(read(written(answer))),
    )
    assert whole.answer == streamed.answer
    assert whole.usage == streamed.usage


@given(answers, st.integers(min_value=0))
def test_a_stream_that_ends_before_its_finish_reason_has_failed(answer: Answer, cut: int) -> None:
    data = written(answer)
    data = data[: cut % data.index(b'"finish_reason":"')]
    events = read(data)
    assert isinstance(events[-1], Failed)
    assert events[-1].kind == "broken"
    assert sum(isinstance(one, Finished | Failed) for one in events) == 1


# What the answer ended with


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "end"),
        ("length", "length"),
        ("tool_calls", "tools"),
        ("function_call", "tools"),
        ("content_filter", "refusal"),
        ("abort", "abort"),
    ],
)
def test_finish_reasons(word: str, reason: str) -> None:
    assert read(chunk({"content": "a"}) + chunk(finish=word) + DONE)[-1] == Finished(reason)


def test_a_server_that_says_stop_behind_calls_means_the_calls() -> None:
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "Bash", "arguments": "{}"}}]}
    assert read(chunk(call) + chunk(finish="stop"))[-1] == Finished("tools")


def test_a_stop_sequence_is_named_where_the_server_names_it() -> None:
    assert read(chunk(finish="stop", stop_reason="END"))[-1] == Finished("stop", "END")
    assert read(chunk(finish="stop", stop_reason=128009))[-1] == Finished("end")  # vLLM: a token's number


def test_what_was_counted_is_kept_when_the_stream_breaks() -> None:
    usage = event({"choices": [], "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}})
    assert read(chunk({"content": "a"}) + usage)[-1] == Failed(0, BROKEN, "broken", usage=Usage(9, 4))
    assert read(b"") == [Failed(0, BROKEN, "broken")]


# What servers count


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({}, Usage()),
        ({"usage": None}, Usage()),
        ({"usage": {"prompt_tokens": 9, "completion_tokens": 2}}, Usage(9, None, 2)),
        ({"usage": {"prompt_tokens": 9, "prompt_tokens_details": None}}, Usage(9)),
        ({"usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 0}}}, Usage(9, 0)),
        ({"timings": {"cache_n": 4, "prompt_n": 5, "prompt_ms": 1.5, "predicted_n": 2}}, Usage(9, 4, 2, 1.5)),
        ({"timings": {"prompt_n": 5}}, Usage()),
        (
            {"usage": {"prompt_tokens": 10, "completion_tokens": 3}, "timings": {"cache_n": 4, "prompt_n": 5}},
            Usage(10, 4, 3),
        ),
    ],
)
def test_not_reported_is_not_zero(said: dict[str, Any], usage: Usage) -> None:
    data = chunk({"content": "a"}) + chunk(finish="stop") + event({"choices": [], **said}) + DONE
    assert read(data)[-1] == Finished("end", usage=usage)


def test_what_is_counted_later_counts_and_what_was_known_before_is_kept() -> None:
    early = chunk({"content": "a"}) + event({"choices": [], "timings": {"cache_n": 4, "prompt_n": 5, "prompt_ms": 1.5}})
    late = event({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 2}})
    done = chunk(finish="stop")
    assert read(early + late + done)[-1] == Finished("end", usage=Usage(10, 4, 2, 1.5))
    assert read(late + early + done)[-1] == Finished("end", usage=Usage(9, 4, 2, 1.5))


def test_a_finish_reason_is_not_taken_back() -> None:
    assert read(chunk({"content": "a"}, "length") + chunk({}) + DONE)[-1] == Finished("length")


# Other servers' ways


def test_reasoning_under_its_other_name() -> None:
    data = chunk({"reasoning": "I see."}) + chunk({"content": "a"}) + chunk(finish="stop")
    assert read(data)[1:-1] == [ThinkingDelta("I see."), TextDelta("a")]


def test_calls_side_by_side_stay_apart() -> None:
    def call(index: int, arguments: str, **more: str) -> bytes:
        function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
        return chunk({"tool_calls": [{"index": index, "function": function, **more}]})

    data = call(0, '{"a":', id="one", name="A") + call(1, "{", id="two", name="B") + call(0, "1}") + call(1, "}")
    calls = collected(read(data + chunk(finish="tool_calls"))).answer.calls
    assert [(one.upstream_id, one.name, one.arguments) for one in calls] == [
        ("one", "A", '{"a":1}'),
        ("two", "B", "{}"),
    ]


def test_only_the_first_choice_is_read() -> None:
    data = event({"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}) + chunk(finish="stop")
    assert collected(read(data)).answer.text == "a"


def test_comments_and_unknown_fields_pass() -> None:
    data = b": keep-alive\n\n" + event({"novel": 1, "choices": [{"delta": {"content": "a", "audio": None}}]})
    assert collected(read(data + chunk(finish="stop") + DONE)).answer.text == "a"


# Failure in the middle


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (error_body(500, "slot unavailable", "server_error")["error"], Failed(500, "slot unavailable", "server")),
        ({"message": "no code", "code": "internal"}, Failed(500, "no code", "server")),
        ({"code": 503}, Failed(503, "{'code': 503}", "server")),
        ("just words", Failed(500, "just words", "server")),
    ],
)
def test_an_error_ends_the_stream_once(error: Any, failed: Failed) -> None:
    data = chunk({"content": "a"}) + event({"error": error}) + chunk({"content": "b"}) + chunk(finish="stop") + DONE
    assert read(data) == [Started(), TextDelta("a"), failed]


@pytest.mark.parametrize("data", [b"data: <html>\n\n", b'data: {"choices":7}\n\n', b"data: \xff\n\n", b"data: [\n\n"])
def test_what_is_not_the_protocol_has_failed_and_says_so(data: bytes) -> None:
    events = read(data + chunk({"content": "b"}))
    assert len(events) == 1
    assert isinstance(events[0], Failed)
    assert events[0].kind == "broken"
    assert "not its protocol" in events[0].message


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_end_in_one_event(data: bytes, streaming: bool) -> None:
    events = read(data, streaming=streaming)
    assert isinstance(events[-1], Finished | Failed)
    assert sum(isinstance(one, Finished | Failed) for one in events) == 1


def test_an_error_event_over_json_has_the_same_words() -> None:
    body = json.dumps(error_body(500, "gone", "server_error")).encode()
    assert read(body, streaming=False) == [Failed(500, "gone", "server")]
