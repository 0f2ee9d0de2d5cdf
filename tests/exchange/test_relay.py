"""The byte path: a client of the server's own protocol gets the server's bytes, and the gateway only listens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.answer import Answer as Generated
from keepwarm.core.events import Finished, Started, TextDelta, ToolDelta, ToolStart, Usage
from keepwarm.exchange.commands import Close, Finish, Open, Send, Start, Write
from keepwarm.testing.answers import Answer
from keepwarm.wire.anthropic_stream import MessageWriter
from tests.exchange.playbook import (
    Playbook,
    arrived,
    chat,
    ended,
    hung_up,
    keeper,
    lost,
    opened,
    play,
    replies,
    request,
    says,
    tick,
)

CALL_ID = "toolu_01A09q90qw90lq917835lq9"


def stream(*events: object) -> bytes:
    writer = MessageWriter("msg_server", "their-model", str)
    row = (Started(), *events, Finished("tools", usage=Usage(100, 90, 5)))
    return b"".join(writer.feed(event) for event in row)  # type: ignore[arg-type]


STREAM = stream(TextDelta("Hello."), ToolStart(0, CALL_ID, "Bash"), ToolDelta(0, '{"b": 1, "a": 2}'))
WHOLE = b"""{"type":"message", "new":1.0, "content":[{"type":"text","text":"Hi"}],
"stop_reason":"end_turn","usage":{"input_tokens":3}}
"""


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_every_byte_passes_as_it_came(cuts: list[int]) -> None:
    book = Playbook(request(), keeper("anthropic")) << Open >> opened(200, x_new="1", content_length="9") << Start
    places = sorted(cuts)
    for start, end in zip([0, *places], [*places, len(STREAM)], strict=True):
        book.commands_seen() >> arrived(STREAM[start:end])
    record = (book.commands_seen() >> ended() << Finish << Write).over()
    assert book.heard() == STREAM
    assert (record.usage.prompt_tokens, record.usage.cached_tokens, record.ending) == (100, 90, "done")
    (start_command,) = [command for command in book.commands if isinstance(command, Start)]
    assert start_command.headers == (("x-new", "1"),)


def test_what_was_generated_is_remembered_under_the_servers_own_id() -> None:
    on = keeper("anthropic")
    book = Playbook(request(), on).answer_with(STREAM)
    assert book.over().ending == "done"
    answer = on.journal.answers.by_call(CALL_ID)
    assert isinstance(answer, Generated)
    assert answer.calls[0].arguments == '{"b": 1, "a": 2}'


@pytest.mark.parametrize("body", [WHOLE, b'{"type":"something new"}', b"not even JSON", b""])
def test_a_body_passes_as_it_came_whatever_it_is(body: bytes) -> None:
    book = Playbook(request(stream=False), keeper("anthropic")) << Open >> opened(200) << Start >> arrived(body)
    book.commands_seen() >> ended() << Finish << Write
    assert book.heard() == body


def test_a_refusal_passes_as_it_came() -> None:
    body = b'{"type":"error", "error":{"type":"overloaded_error","message":"later"}}'
    book = Playbook(request(), keeper("anthropic")) << Open >> opened(529, retry_after="3", x_new="1") >> arrived(body)
    record = (book >> ended() << replies(529, body.decode(), retry_after="3", x_new="1") << Write).over()
    assert (record.status, record.error) == (529, "overloaded: later")


def test_a_stream_that_breaks_off_is_left_as_it_is_and_a_lost_one_says_so() -> None:
    for happening, more in ((ended(), b""), (lost("gone"), b"event: error")):
        book = Playbook(request(), keeper("anthropic")) << Open >> opened(200) << Start >> arrived(STREAM[:200])
        record = (book.commands_seen() >> happening).commands_seen().over()
        assert record.ending == "failed"
        assert book.heard().startswith(STREAM[:200])
        assert more in book.heard()
        assert len(book.heard()) > 200 or not more


def test_an_error_event_of_the_server_is_not_told_twice() -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"no"}}\n\n'
    book = Playbook(request(), keeper("anthropic")) << Open >> opened(200) << Start >> arrived(error)
    record = (book << Send(error) << Finish << Write).over()
    assert record.error == "server: no"


def test_a_ping_is_never_put_inside_an_event() -> None:
    book = Playbook(request(), keeper("anthropic")) << Open >> opened(200) << Start >> arrived(STREAM[:50])
    book.commands_seen().after(5_000) >> tick()
    book.after(5_000) >> tick() >> arrived(STREAM[50:])
    assert book.heard() == STREAM


def test_between_events_a_silent_server_is_spoken_for() -> None:
    first = STREAM[: STREAM.index(b"\n\n") + 2]
    book = Playbook(request(), keeper("anthropic")) << Open >> opened(200) << Start >> arrived(first) << Send(first)
    book.after(5_000) >> tick() << says("event: ping")
    (book >> hung_up() << Close << Write).over()


# Translation


def test_the_client_gets_ids_that_are_its_own_and_stay_unique() -> None:
    on = keeper()
    answer = Answer("", tool_calls=(("Bash", "{}"), ("Bash", "{}")))
    seen = set()
    for ids in (("call_0", "call_1"), ("call_0", "call_1"), ("a" * 31 + "1", "b2" * 16)):
        heard = play(request(), on, answer, *ids).heard().decode()
        starts = [
            json.loads(line[6:]) for line in heard.split("\n") if '"content_block_start"' in line and "data" in line
        ]
        seen |= {start["content_block"]["id"] for start in starts}
        message = next(line for line in heard.split("\n") if '"message_start"' in line and "data" in line)
        seen.add(json.loads(message[6:])["message"]["id"])
    assert len(seen) == 9
    assert not seen & {"call_0", "call_1", ""}


def test_an_answer_without_a_word_is_an_answer() -> None:
    book = play(request(), keeper(), Answer(""))
    assert book.over().ending == "done"
    assert b"message_stop" in book.heard()


def test_a_reason_of_the_server_becomes_the_protocols() -> None:
    book = play(request(), keeper(), Answer("cut", finish="length"))
    assert b'"stop_reason":"max_tokens"' in book.heard()
    assert chat(Answer("x")).endswith(b"data: [DONE]\n\n")
