"""Whole lives of a chat completions client: the server's bytes pass, less what it did not ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.exchange.commands import Ask, Close, Finish, Open, Reply, Send, Start, Take, Write
from keepwarm.exchange.keeper import Keeper, Manner
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import DONE, Counts
from tests.exchange.playbook import (
    SHAPE,
    Playbook,
    answered,
    arrived,
    asks,
    ended,
    hung_up,
    keeper,
    lost,
    opened,
    play,
    replies,
    request,
    says,
    taken,
    tick,
)

COUNTS = Counts(90, 10, 5, 12.5)
HELLO = Answer("Hello there.", "Hm.")
STREAM = SHAPE.role() + b"".join(SHAPE.deltas(HELLO, ()))
"""An answer up to its end."""
ENDING = SHAPE.ending(HELLO, COUNTS, with_usage=False)
USAGE = b"data: " + SHAPE.ending(HELLO, COUNTS, with_usage=True).removesuffix(DONE).rsplit(b"data: ", 1)[1]
ASKED: dict[str, Any] = {"stream_options": {"include_usage": True}}


def life(body: bytes, on: Keeper | None = None, **headers: str) -> Playbook:
    """The life of a chat client's request."""
    return Playbook(body, on, headers, front="chat")


# The server's bytes


@given(st.lists(st.integers(0, len(STREAM + ENDING)), max_size=8))
def test_every_byte_of_llama_cpp_passes_as_it_came(cuts: list[int]) -> None:
    data, places = STREAM + ENDING, sorted(cuts)
    book = life(request()) << Open >> opened(200, x_new="1", content_length="9") << Start
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        book.commands_seen() >> arrived(data[start:end])
    record = (book.commands_seen() >> ended() << Finish << Write).over()
    assert book.heard() == data
    assert (record.front, record.ending, record.usage.prompt_tokens, record.usage.cached_tokens) == (
        "chat", "done", 100, 90,
    )  # fmt: skip
    (start_command,) = [command for command in book.commands if isinstance(command, Start)]
    assert start_command.headers == (("x-new", "1"),)


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
@given(cuts=st.lists(st.integers(0, len(STREAM + ENDING + USAGE)), max_size=8))
def test_the_usage_that_keepwarm_asks_for_does_not_reach_the_client(kind: str, cuts: list[int]) -> None:
    end = SHAPE.ending(HELLO, COUNTS, with_usage=True).removesuffix(USAGE + DONE)
    data = STREAM + end + USAGE + DONE
    book = life(request(), keeper(kind)) << Open >> opened(200) << Start
    assert book.sent()["stream_options"] == {"include_usage": True}
    places = sorted(cut for cut in cuts if cut < len(data))
    for start, stop in zip([0, *places], [*places, len(data)], strict=True):
        book.commands_seen() >> arrived(data[start:stop])
    record = (book.commands_seen() >> ended()).commands_seen().over()
    assert book.heard() == STREAM + end + DONE
    assert (record.usage.prompt_tokens, record.usage.cached_tokens, record.usage.output_tokens) == (100, 90, 5)


def test_who_asks_for_usage_gets_it() -> None:
    data = STREAM + SHAPE.ending(HELLO, COUNTS, with_usage=True)
    book = life(request(**ASKED), keeper("chat")) << Open >> opened(200) << Start >> arrived(data)
    (book.commands_seen() >> ended() << Finish << Write).over()
    assert book.heard() == data


@pytest.mark.parametrize("body", [SHAPE.whole(HELLO, (), COUNTS), b'{"novel":1.0}', b"not even JSON", b""])
def test_a_body_passes_as_it_came_whatever_it_is(body: bytes) -> None:
    book = life(request(stream=False)) << Open >> opened(200) << Start >> arrived(body)
    book.commands_seen() >> ended() << Finish << Write
    assert book.heard() == body


def test_what_cannot_be_read_of_a_stream_breaks_nothing() -> None:
    odd = b'data: {"choices":[{"delta":{"content":[{"type":"novel"}]}}]}\n\n: comment\n\ndata: odd\n\n'
    data = STREAM + odd + ENDING
    book = life(request()) << Open >> opened(200) << Start >> arrived(data)
    record = (book.commands_seen() >> ended() << Finish << Write).over()
    assert (book.heard(), record.ending) == (data, "done")


def test_a_refusal_passes_as_it_came() -> None:
    body = b'{"error":{"code":429,"message":"later", "type":"novel"}}'
    book = life(request()) << Open >> opened(429, retry_after="3", x_new="1") >> arrived(body)
    record = (book >> ended() << replies(429, body.decode(), retry_after="3", x_new="1") << Write).over()
    assert (record.status, record.error) == (429, "rate_limit: later")


def test_a_server_that_went_away_is_said_in_the_clients_words() -> None:
    book = life(request()) << Open >> lost("gone") << replies(502, '"error":{"message":"gone"') << Write
    assert book.over().ending == "failed"
    book = life(request()) << Open >> opened(200) << Start >> arrived(STREAM) << Send(STREAM)
    (book >> lost("gone") << says('data: {"error":{"message":"gone"') << Finish << Write).over()
    assert b"[DONE]" not in book.heard()


def test_an_error_in_the_stream_is_not_told_twice() -> None:
    error = b'data: {"error":{"code":500,"message":"no","type":"server_error"}}\n\n'
    book = life(request()) << Open >> opened(200) << Start >> arrived(error)
    assert (book << Send(error) << Finish << Write).over().error == "server: no"


def test_what_cannot_be_read_is_refused_in_the_clients_words() -> None:
    book = life(b"{") << replies(400, '"type":"invalid_request_error"') << Write
    assert book.over().status == 400
    book = life(request({"role": "user", "content": 5})) << replies(400, '"param":"messages[0].content"') << Write
    assert book.over().ending == "failed"


def test_a_server_that_takes_no_chat_completions_is_said_with_what_to_do() -> None:
    book = life(request(), keeper("anthropic", chat=False)) << replies(404, "POST /v1/messages") << Write
    (reply,) = [command for command in book.commands if isinstance(command, Reply)]
    assert json.loads(reply.body)["error"]["type"] == "invalid_request_error"
    record = book.over()
    assert (record.front, record.upstream, record.status) == ("chat", "anthropic", 404)


# Patience


def test_a_long_prefill_is_spoken_for_with_comments() -> None:
    book = life(request()) << Open
    book.after(1_000) >> tick() << Start
    book.after(5_000) >> tick() << Send(b": ping\n\n")
    book.after(5_000) >> tick() << Send(b": ping\n\n") >> opened(200) >> arrived(STREAM + ENDING)
    (book << Send(STREAM + ENDING) >> ended() << Finish << Write).over()
    (start,) = [command for command in book.commands if isinstance(command, Start)]
    assert dict(start.headers)["content-type"].startswith("text/event-stream")
    assert dict(start.headers)["x-request-id"] == book.life.story.call.id


def test_a_comment_is_never_put_inside_a_frame() -> None:
    for on, passed in ((keeper(), STREAM[:50]), (keeper("chat"), b"")):
        book = life(request(), on) << Open >> opened(200) << Start >> arrived(STREAM[:50])
        book.commands_seen().after(5_000) >> tick()
        pings = book.heard().removeprefix(passed)
        assert pings == (b"" if passed else b": ping\n\n"), "where nothing has passed nothing is cut"
        (book.commands_seen() >> arrived(STREAM[50:] + ENDING)).commands_seen() >> ended()
        assert book.heard().replace(b": ping\n\n", b"") == STREAM + ENDING


@pytest.mark.parametrize(("status", "body"), [(200, SHAPE.whole(HELLO, (), COUNTS)), (500, b'{"error":"no"}')])
def test_an_answer_that_is_not_streamed_gets_white_space_after_a_minute(status: int, body: bytes) -> None:
    book = life(request(stream=False)) << Open
    book.after(60_000) >> tick()
    book.after(5_000) >> tick() << Start << Send(b" ")
    book.after(5_000) >> tick() << Send(b" ") >> opened(status) >> arrived(body)
    record = (book.commands_seen() >> ended()).commands_seen().over()
    said = json.loads(book.heard())
    assert said == json.loads(body) if status == 200 else said["error"]["message"] == "no"
    assert record.ending == ("done" if status == 200 else "failed")


def test_a_client_that_hangs_up_ends_what_the_server_does() -> None:
    book = life(request()) << Open >> opened(200) << Start >> arrived(STREAM) << Send(STREAM)
    record = (book >> hung_up() << Close << Write).over()
    assert record.ending == "hung_up"


# Slots, and both fronts at one server


def test_its_conversations_have_slots_and_are_handed_over_like_others() -> None:
    on = keeper(slots=1)
    first = life(request({"role": "user", "content": "one"}), on) << Take(0) >> taken() << Open
    assert first.sent()["id_slot"] == 0
    assert first.answer_with(STREAM + ENDING).over().ending == "done"
    book = life(request({"role": "user", "content": "two"}), on) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(200, b'{"prompt":"user two"}') << asks("/tokenize")
    book >> answered(200, b'{"tokens":[7,8,9]}') << asks("/completion")
    clearing = book.commands[-1]
    assert isinstance(clearing, Ask)
    assert b'"prompt":[7,8,9]' in clearing.request.body


def test_the_same_words_in_two_protocols_are_two_conversations() -> None:
    on = keeper(slots=2)
    for front in ("anthropic", "chat", "anthropic", "chat"):
        play(request(), on, Answer("x"), front=front)
    assert len({lineage.id for lineage in on.journal.lineages()}) == 2
    assert [chair.kind for chair in on.table.chairs] == ["side", ""], "side calls of both share a seat"


def test_a_client_that_names_no_session_has_none() -> None:
    record = play(request(tools=[]), keeper(), Answer("x"), front="chat").over()
    assert (record.session, record.agent) == ("", "")
    named = play(request(prompt_cache_key="ses_1"), keeper(), Answer("x"), front="chat").over()
    assert named.session == "ses_1"


# Observing


@pytest.mark.parametrize("kind", ["llamacpp", "chat", "anthropic"])
def test_who_is_observed_gets_and_sends_the_very_bytes(kind: str) -> None:
    header = "x-anthropic-billing-header: cc_version=2.1.114; cch=1a2b3;\\nBe brief."
    body = b'{"stream":true, "messages":[ {"role":"system","content":"%b"},\n{"role":"user","content":"x"}]}'
    came = body % header.encode()
    on = keeper(kind, slots=2, manner=Manner(observe=True))
    data = STREAM + SHAPE.ending(HELLO, COUNTS, with_usage=True)
    book = life(came, on) << Open >> opened(200) << Start >> arrived(data)
    record = (book.commands_seen() >> ended() << Finish << Write).over()
    (opening,) = [command for command in book.commands if isinstance(command, Open)]
    assert opening.request.body is came
    assert book.heard() == data
    assert record.edits == ()
    assert dict(record.metadata)["cch"] == "1a2b3"
    assert record.seat is None or record.seat.slot is None


# Whatever a client says


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "text", "user", "tool", "assistant", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "id"]),
        inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "novel"])},
    optional={
        "content": _VALUES,
        "tool_calls": _VALUES | st.lists(st.just({"id": "a", "function": {"name": "Bash", "arguments": "{}"}})),
        "tool_call_id": st.just("a") | _VALUES,
        "reasoning_content": _VALUES,
        "name": _VALUES,
    },
)


@given(
    st.lists(_MESSAGES, min_size=1, max_size=5),
    st.dictionaries(
        st.sampled_from(["tools", "stream_options", "chat_template_kwargs", "tool_choice", "user", "stop"]), _VALUES
    ),
    st.sampled_from(["llamacpp", "chat"]),
)
def test_whatever_a_client_says_is_sent_on_as_json_or_refused(
    messages: list[dict[str, Any]], more: dict[str, Any], kind: str
) -> None:
    on = keeper(kind)
    for count in (len(messages), *range(1, len(messages) + 1)):
        book = life(request(*messages[:count], **more), on)
        first = book.commands[0]
        if isinstance(first, Reply):
            assert first.status == 400
            assert json.loads(first.body)["error"]["type"] == "invalid_request_error"
        else:
            assert isinstance(book.sent()["messages"], list)
            assert book.answer_with(STREAM + ENDING).over().ending == "done"
