"""What every front promises of a client's protocol, held against each one in the table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.events import Event, Failed
from keepwarm.errors import BadJson
from keepwarm.wire.api import ClientFacts, Front
from keepwarm.wire.fronts import FRONTS
from tests.wire.rows import ROWS, answers

ASKED = b'{"model": "m", "stream": true, "system": "s", "messages": [ {"role":"user","content":"x"} ], "tools": []}'
fronts = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)


def mint(number: int) -> str:
    return f"toolu_{number}"


@fronts
def test_a_front_is_found_by_its_name_and_served_at_its_path(front: Front) -> None:
    assert FRONTS[front.name] is front
    assert front.path.startswith("/v1/")


@fronts
def test_a_request_is_read_as_far_as_it_is_asked_for(front: Front) -> None:
    parsed = front.parse(ASKED)
    assert parsed.body is ASKED
    assert (parsed.options.model, parsed.options.stream) == ("m", True)
    assert [block.text for block in parsed.system] == ["s"]
    assert list(parsed.messages_raw) == [b'{"role":"user","content":"x"}']
    assert list(parsed.tools_raw) == []
    assert front.message(parsed.messages_raw[0], 4).index == 4


@fronts
@given(data=st.binary(max_size=60))
def test_what_cannot_be_read_is_refused_in_the_protocols_words(front: Front, data: bytes) -> None:
    for read in (front.parse, lambda raw: front.message(raw, 0), lambda raw: front.tool(raw, 0)):
        with pytest.raises(BadJson) as refused:
            read(data)
        status, told = front.error(400, "bad_request", str(refused.value), "req_1")
        assert status == 400
        assert str(refused.value) in json.loads(told)["error"]["message"]


@fronts
def test_nobody_is_known_by_a_request_that_says_nothing(front: Front) -> None:
    assert front.identity({}, front.parse(ASKED)) == ClientFacts()


@fronts
@given(events=answers())
def test_an_answer_is_told_the_same_streamed_and_whole(front: Front, events: list[Event]) -> None:
    streamed, whole = (front.writer("msg_1", "m", stream, mint) for stream in (True, False))
    told = [streamed.feed(event) for event in events]
    assert any(told)
    assert [whole.feed(event) for event in events] == [b""] * len(events)
    assert streamed.answer == whole.answer
    assert streamed.usage == whole.usage
    json.loads(whole.whole())


@fronts
@pytest.mark.parametrize("row", ROWS)
def test_a_ping_says_nothing(front: Front, row: str) -> None:
    plain, pinged = (front.writer("msg_1", "m", True, mint) for _ in range(2))
    one = b"".join([plain.feed(event) for event in ROWS[row]])
    pieces = [(pinged.ping(), pinged.feed(event)) for event in ROWS[row]]
    assert all(ping for ping, _ in pieces)
    assert b"".join(piece for _, piece in pieces) == one
    assert pinged.answer == plain.answer


@fronts
def test_an_answer_that_cannot_go_on_says_why(front: Front) -> None:
    writer = front.writer("msg_1", "m", True, mint)
    for event in ROWS["text"][:2]:
        writer.feed(event)
    assert b"the server went away" in writer.fail(Failed(0, "the server went away", "unreachable"))
