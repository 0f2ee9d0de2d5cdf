"""What holds for the writers of every protocol."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from keepwarm.core.events import Event, Failed, Finished, Started, TextDelta, Usage
from keepwarm.wire.anthropic_stream import MessageWriter, whole_writer
from keepwarm.wire.openai_chat_stream import ChunkWriter, Head, completion_writer
from keepwarm.wire.writing import BodyWriter, Mint, StreamWriter
from tests.wire.rows import ROWS

HEAD = Head("chatcmpl-kw", 1_700_000_000, "local-model")
STREAMS: dict[str, Callable[[Mint | None], StreamWriter]] = {
    "messages": lambda mint: MessageWriter("msg_1", "local-model", mint),
    "chat": lambda mint: ChunkWriter(HEAD, mint, True),
}
BODIES: dict[str, Callable[[Mint | None], BodyWriter]] = {
    "messages": lambda mint: whole_writer("msg_1", "local-model", mint),
    "chat": lambda mint: completion_writer(HEAD, mint),
}
EVERY = pytest.mark.parametrize("protocol", list(STREAMS))


def mint(number: int) -> str:
    return f"call_{number}"


@EVERY
@pytest.mark.parametrize("end", [Finished("end"), Failed(0, "gone", "unreachable")])
def test_behind_an_end_nothing_is_said(protocol: str, end: Event) -> None:
    writer = STREAMS[protocol](mint)
    assert writer.ping()
    assert writer.feed(end)
    assert writer.feed(TextDelta("more")) == writer.ping() == writer.fail(Failed(0, "again")) == b""
    assert writer.answer.text == ""


@EVERY
def test_one_that_only_listens_keeps_the_answer_and_says_nothing(protocol: str) -> None:
    told, heard = STREAMS[protocol](mint), STREAMS[protocol](None)
    for event in ROWS["text"]:
        told.feed(event)
        assert heard.feed(event) == b""
    assert heard.answer == told.answer
    assert heard.answer.text == 'Two lines,\na "quote" and ä😀.'
    assert heard.usage == told.usage == Usage(120, output_tokens=9)


@EVERY
def test_a_stream_and_a_body_keep_the_same_answer_and_make_the_same_body(protocol: str) -> None:
    stream, body = STREAMS[protocol](mint), BODIES[protocol](mint)
    for event in ROWS["tools"]:
        assert body.feed(event) == b""
        stream.feed(event)
    assert stream.answer == body.answer
    assert stream.whole() == body.whole()


@EVERY
def test_a_body_that_has_begun_with_white_space_may_end_as_an_error(protocol: str) -> None:
    writer = BODIES[protocol](mint)
    writer.feed(Started())
    said = json.loads(writer.ping() + writer.fail(Failed(0, "gone", "unreachable", usage=Usage(7))))
    assert said["error"]["message"] == "gone"
    assert writer.usage == Usage(7)
