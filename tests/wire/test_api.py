"""What every front promises of a client's protocol, held against each one in the table."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.events import Event, Failed
from keepwarm.core.prompt import Options
from keepwarm.errors import BadJson
from keepwarm.wire.api import ClientFacts, Front
from keepwarm.wire.fronts import FRONTS
from tests.wire.rows import ROWS, answers

ASKED = {
    "anthropic": b"""{"model":"m","stream": true, "system":"s", "messages": [ {"role":"user","content":"x"} ],
 "tools":[]}""",
    "chat": b"""{"model":"m","stream": true, "messages": [ {"role": "system", "content": "s"},
 {"role":"user","content":"x"} ], "tools":[]}""",
}
fronts = pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)


@fronts
def test_a_front_is_found_by_its_name_and_served_at_its_path(front: Front) -> None:
    assert FRONTS[front.name] is front
    assert front.path.startswith("/v1/")


@fronts
def test_a_request_is_read_as_far_as_it_is_asked_for(front: Front) -> None:
    parsed = front.parse(ASKED[front.name])
    assert parsed.body is ASKED[front.name]
    assert (parsed.options.model, parsed.options.stream) == ("m", True)
    assert [block.text for block in parsed.system] == ["s"]
    assert list(parsed.messages_raw) == [b'{"role":"user","content":"x"}']
    assert list(parsed.tools_raw) == []
    assert parsed.leading + 1 == len(parsed.everything)
    assert parsed.everything[-1] == parsed.messages_raw[0]
    assert front.message(parsed.messages_raw[0], 4).index == 4


@fronts
@given(data=st.binary(max_size=60))
def test_what_cannot_be_read_is_refused_in_the_protocols_words(front: Front, data: bytes) -> None:
    broken = data.replace(b"{", b"[")  # no object, so neither a request nor a message nor a tool
    for read in (front.parse, lambda raw: front.message(raw, 0), lambda raw: front.tool(raw, 0)):
        with pytest.raises(BadJson) as refused:
            read(broken)
        status, told = front.error(400, "bad_request", str(refused.value), "req_1")
        assert status == 400
        assert str(refused.value) in json.loads(told)["error"]["message"]


@fronts
def test_nobody_is_known_by_a_request_that_says_nothing(front: Front) -> None:
    assert front.identity({}, front.parse(ASKED[front.name])) == ClientFacts()


@fronts
@given(events=answers())
def test_an_answer_is_told_the_same_streamed_and_whole(front: Front, events: list[Event]) -> None:
    streamed, whole = (front.writer("1", Options("m", stream=stream), 1) for stream in (True, False))
    told = [streamed.feed(event) for event in events]
    assert any(told)
    assert [whole.feed(event) for event in events] == [b""] * len(events)
    assert streamed.answer == whole.answer
    assert streamed.usage == whole.usage
    json.loads(whole.whole())


@fronts
@pytest.mark.parametrize("row", ROWS)
def test_a_ping_says_nothing(front: Front, row: str) -> None:
    plain, pinged = (front.writer("1", Options("m", stream=True), 1) for _ in range(2))
    one = b"".join([plain.feed(event) for event in ROWS[row]])
    pieces = [(pinged.ping(), pinged.feed(event)) for event in ROWS[row]]
    assert all(ping for ping, _ in pieces)
    assert b"".join(piece for _, piece in pieces) == one
    assert pinged.answer == plain.answer


@fronts
def test_an_answer_that_cannot_go_on_says_why(front: Front) -> None:
    writer = front.writer("1", Options("m", stream=True), 1)
    for event in ROWS["text"][:2]:
        writer.feed(event)
    assert b"the server went away" in writer.fail(Failed(0, "the server went away", "unreachable"))


@fronts
@given(events=answers())
def test_who_only_listens_writes_nothing_and_keeps_the_same_answer(front: Front, events: list[Event]) -> None:
    told, listening = (front.writer("1", Options("m", stream=True), 1, listening=only) for only in (False, True))
    assert [listening.feed(event) for event in events] == [b""] * len(events)
    for event in events:
        told.feed(event)
    assert listening.answer == told.answer, "the ids of this server stay unique"
    assert listening.usage == told.usage


@fronts
def test_ids_are_made_where_the_servers_do_not_stay_unique(front: Front) -> None:
    seen = set()
    for call in ("a1", "a2"):
        writer = front.writer(call, Options("m", stream=True), 1)
        for event in ROWS["side_by_side"]:
            writer.feed(event)
        seen |= {made.id for made in writer.answer.calls}
    assert len(seen) == 4
    assert not any(made.startswith("call_0") for made in seen)
