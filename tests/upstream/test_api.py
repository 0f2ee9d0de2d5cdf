"""What every dialect promises: the same bytes for the same values, no word lost, and answers that end once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.events import Failed, Finished
from keepwarm.upstream.api import Draft, Outgoing, Traits
from keepwarm.upstream.registry import DIALECTS, dialect
from tests.upstream import byte_path, chat_byte_path
from tests.upstream.byte_path import COUNTDOWN, Conversation, Sender

PAIRS = [(kind, front) for kind, row in DIALECTS.items() for front in row]
CONVERSATIONS = {"anthropic": byte_path.conversations(), "chat": chat_byte_path.conversations()}
pairs = pytest.mark.parametrize(("kind", "front"), PAIRS)


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from strings(inner)
        case dict():
            for inner in value.values():
                yield from strings(inner)


def user_words(body: bytes) -> list[str]:
    """What a user said in a body, tool results included, that is not a countdown by itself."""

    def said(content: Any) -> Iterator[str]:
        if isinstance(content, str):
            yield content
        for block in content if isinstance(content, list) else ():
            yield from said(block.get("text"))
            yield from said(block.get("content"))

    rows = [one["content"] for one in json.loads(body)["messages"] if one["role"] in ("user", "tool")]
    return [words for row in rows for words in said(row) if words != COUNTDOWN]


@pairs
@given(data=st.data())
def test_no_word_of_a_user_is_lost_and_none_that_quotes_is_touched(kind: str, front: str, data: st.DataObject) -> None:
    conversation: Conversation = data.draw(CONVERSATIONS[front])
    came = conversation.before(len(conversation.messages))
    heard = "\n".join(strings(json.loads(Sender(kind=kind, front=front).send(came))["messages"]))
    assert [words for words in user_words(came) if words not in heard] == []


@pairs
@given(data=st.data())
def test_the_same_conversation_leaves_as_the_same_bytes(kind: str, front: str, data: st.DataObject) -> None:
    conversation: Conversation = data.draw(CONVERSATIONS[front])
    one, other = Sender(kind=kind, front=front), Sender(kind=kind, front=front)
    for count in range(1, len(conversation.messages) + 1):
        came = conversation.before(count)
        first = one.outgoing(came)
        assert one.outgoing(came) == first, "a retry"
        assert other.outgoing(came) == first
    assert Sender(kind=kind, front=front).outgoing(came) == first, "and at once"


@pairs
@given(data=st.binary(max_size=60), stream=st.booleans())
def test_an_answer_of_any_bytes_ends_in_one_event(kind: str, front: str, data: bytes, stream: bool) -> None:
    reader = dialect(Traits(kind), front=front).reader(stream)
    events = [*reader.feed(data[:20]), *reader.feed(data[20:]), *reader.finish()]
    assert isinstance(events[-1], Finished | Failed)
    assert sum(isinstance(one, Finished | Failed) for one in events) == 1


@pairs
@given(status=st.integers(400, 599), data=st.binary(max_size=60))
def test_every_refusal_is_read(kind: str, front: str, status: int, data: bytes) -> None:
    failed = dialect(Traits(kind), front=front).failure(status, {"retry-after": "7"}, data)
    assert (failed.status, failed.retry_after) == (status, "7")
    assert failed.message


def test_a_request_is_posted_unless_it_says_otherwise() -> None:
    assert Outgoing("/x", b"").method == "POST"


def test_what_is_not_known_of_a_server_is_assumed_harmless() -> None:
    """No slot is asked for, no length is promised, and a picture is sent rather than dropped."""
    traits = Traits()
    assert (traits.slots, traits.context, traits.vision, traits.first_party) == (0, None, True, False)
    assert (traits.server, traits.drops_thinking, traits.quiet_tools) == ("", False, False)
    assert traits.read("x-anthropic-billing-header: a=1;", whole=True) == "x-anthropic-billing-header: a=1;"
    assert traits.chat, "where it is not spoken the server says so"
    assert Draft.__struct_defaults__ == (None, (), (), (), b"", 0, False, False)


@pytest.mark.parametrize(
    ("text", "whole", "read"),
    [
        ("line: a=1;\nBe brief.\n", False, "Be brief.\n"),
        ("line: a=1;", False, ""),
        ("line: a=1;\nBe brief.", True, ""),
        (" line: a=1;\nBe brief.", True, " line: a=1;\nBe brief."),
        ("Be brief.", False, "Be brief."),
    ],
)
def test_what_a_server_takes_out_of_a_system_text_itself(text: str, whole: bool, read: str) -> None:
    assert Traits(unread="line").read(text, whole=whole) == read
