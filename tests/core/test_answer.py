"""The whole answer, gathered from its events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.answer import Answer, AnswerCollector, Call, Part, sign, stays_unique
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

UNIQUE = "7hGq0sXbW2nZk4Tt"


def mint(number: int) -> str:
    return f"toolu_{number}"


def collect(*events: Event, known: bool = False) -> AnswerCollector:
    collector = AnswerCollector(None if known else mint)
    for event in events:
        collector.feed(event)
    return collector


def test_an_answer_is_what_its_events_say() -> None:
    collector = collect(
        Started("chatcmpl-1", "m"),
        ThinkingDelta("I "),
        ThinkingDelta("look."),
        TextDelta("Here"),
        TextDelta(" it is.\n"),
        ToolStart(0, "call_0", "Bash"),
        ToolDelta(0, '{"command":'),
        ToolStart(1, UNIQUE, "Read"),
        ToolDelta(0, '"ls"}'),
        ToolDelta(1, '{"file'),
        Finished("tools", usage=Usage(10, 4, 6)),
    )
    assert collector.answer == Answer(
        text="Here it is.\n",
        thinking="I look.",
        signature=sign("I look."),
        calls=(Call("toolu_0", "call_0", "Bash", '{"command":"ls"}'), Call(UNIQUE, UNIQUE, "Read", '{"file')),
        reason="tools",
    )
    assert collector.usage == Usage(10, 4, 6)


def test_an_answer_that_broke_off_is_kept_as_far_as_it_came() -> None:
    collector = collect(TextDelta("Half a"), Failed(0, "gone", "broken", usage=Usage(9)))
    assert collector.answer == Answer(text="Half a")
    assert collector.usage == Usage(9)


def test_parts_keep_the_order_of_the_answer() -> None:
    collector = collect(
        TextDelta("a"), ThinkingDelta("b"), ToolStart(0, UNIQUE, "T"), ToolDelta(0, "{}"), TextDelta("c"), TextDelta("")
    )
    call = Call(UNIQUE, UNIQUE, "T", "{}")
    assert collector.parts == (
        Part("text", "a"),
        Part("thinking", "b", sign("b")),
        Part("call", call=call),
        Part("text", "c"),
    )
    assert collector.answer.text == "ac"


def test_reasoning_that_the_server_signed_keeps_its_signature_and_ends_there() -> None:
    collector = collect(ThinkingDelta("one"), ThinkingDelta("", "SIG1"), ThinkingDelta("two"))
    assert collector.parts == (Part("thinking", "one", "SIG1"), Part("thinking", "two", sign("two")))
    assert collector.answer.thinking == "onetwo"


def test_progress_is_usage_until_the_server_counts() -> None:
    collector = collect(Progress(100, 60, 80, 1.5))
    assert collector.usage == Usage(100, 60)
    collector.feed(Finished("end", usage=Usage(101, output_tokens=3)))
    assert collector.usage == Usage(101, 60, 3)


def test_two_calls_with_one_id_get_two() -> None:
    collector = collect(ToolStart(0, UNIQUE, "A"), ToolStart(1, UNIQUE, "B"))
    assert [call.id for call in collector.answer.calls] == [UNIQUE, "toolu_1"]


def test_a_client_that_reads_the_server_itself_has_the_servers_ids() -> None:
    assert collect(ToolStart(0, "call_0", "A"), known=True).answer.calls == (Call("call_0", "call_0", "A", ""),)


def test_arguments_without_a_call_belong_to_nobody() -> None:
    assert collect(ToolDelta(3, "{}")).answer == Answer()


@pytest.mark.parametrize(
    "call_id",
    [
        "Zb8w2mB0QmB2xXq9J3kY7uP1nR5tV4cD",
        "chatcmpl-tool-0123456789abcdef0123456789abcdef",
        "call_9f8e7d6c5b4a39281706f5e4",
        "toolu_01A09q90qw90lq917835lq9",
        "call_3fa85f64-5717-4562-b3fc-2c963f66afa6",
    ],
)
def test_long_random_ids_stay_unique(call_id: str) -> None:
    assert stays_unique(call_id)


@pytest.mark.parametrize(
    "call_id",
    [
        "",
        "0",
        "call_0",
        "call_x7f3k2m9",
        "functions.Bash:0",
        "a1b2c3d4e",
        "call_getWeatherForTheCity_0",
        "1" * 40,
        "0123456789abcdef 0123456789abcdef",
    ],
)
def test_short_counted_and_illegal_ids_do_not(call_id: str) -> None:
    assert not stays_unique(call_id)


@given(st.text(), st.text())
def test_a_signature_stands_for_the_words(one: str, other: str) -> None:
    assert (sign(one) == sign(other)) == (one == other)
    assert sign(one).startswith("kw1.")
