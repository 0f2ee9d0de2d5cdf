"""Answers as a log has them: streamed or in one body whatever was asked for, cut off, or not there."""

from __future__ import annotations

import pytest

from keepwarm.core.events import Event, Failed, Finished, TextDelta
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import ChatShape, Counts
from keepwarm.testing.messages_shapes import MessagesShape
from keepwarm.upstream.api import Traits
from keepwarm.upstream.logged import Heard, Logged, heard
from keepwarm.upstream.registry import dialect

COUNTS = Counts(90, 10, 5, 12.5)
SAID = Answer("Hello there.")
SHAPES: dict[str, MessagesShape | ChatShape] = {
    "anthropic": MessagesShape(message_id="msg_1", model="m"),
    "chat": ChatShape(completion_id="chatcmpl-1", model="m", created=1),
}


def logged(front: str) -> Logged:
    return Logged(dialect(Traits(front), front=front))


def stream(front: str) -> bytes:
    shape = SHAPES[front]
    return shape.start(COUNTS) + b"".join(shape.deltas(SAID, ())) + shape.ending(SAID, COUNTS, with_usage=True)


def read(front: str, asked: bool, answer: bytes) -> list[Event]:
    reader = logged(front).reader(asked)
    return [*(reader.feed(answer) if answer else ()), *reader.finish()]


@pytest.mark.parametrize("front", SHAPES)
@pytest.mark.parametrize("asked", [True, False])
def test_an_answer_in_either_form(front: str, asked: bool) -> None:
    for answer in (stream(front), SHAPES[front].whole(SAID, (), COUNTS)):
        events = read(front, asked, answer)
        assert "".join(one.text for one in events if isinstance(one, TextDelta)) == SAID.text
        last = events[-1]
        assert isinstance(last, Finished)
        assert (last.usage.cached_tokens, last.usage.prompt_tokens) == (90, 100)
        assert heard(logged(front).inner, asked, answer) == "whole"


@pytest.mark.parametrize("front", SHAPES)
@pytest.mark.parametrize(
    ("answer", "what"),
    [(b"", "nothing"), (b"  ", "nothing"), (b"[omitted]", "nothing"), (b"{}", "nothing"), (b'{"a": ', "nothing")],
)
def test_an_answer_that_is_not_there(front: str, answer: bytes, what: Heard) -> None:
    for asked in (True, False):
        events = read(front, asked, answer)
        assert isinstance(events[-1], Finished), "not broken: not known"
        assert events[-1].usage.cached_tokens is None
        assert heard(logged(front).inner, asked, answer) == what


@pytest.mark.parametrize("front", SHAPES)
def test_an_answer_that_is_cut_off(front: str) -> None:
    answer = stream(front)[:-400] if front == "anthropic" else stream(front).partition(b'"finish_reason":"')[0]
    assert heard(logged(front).inner, True, answer) == "cut"
    assert isinstance(read(front, True, answer)[-1], Failed)


def test_an_error_in_the_answer_is_a_failure() -> None:
    answer = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    assert isinstance(read("anthropic", False, answer)[-1], Failed)
    assert heard(logged("anthropic").inner, True, answer) == "whole"


def test_all_else_is_the_servers_own() -> None:
    for front in SHAPES:
        one = logged(front)
        assert (one.name, one.protocol, one.same_protocol, one.quiet_tools) == (front, front, True, False)
        assert not one.drops_thinking
        assert one.read("Be brief.") == "Be brief."
        assert one.failure(429, {"retry-after": "3"}, b"{}").retry_after == "3"
        assert (one.marks(b""), one.system((), ()), one.tools((), ())) == (front == "anthropic", b"", b"")
