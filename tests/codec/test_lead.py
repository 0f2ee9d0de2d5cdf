"""A request that begins as an earlier one is read behind that, and reads the same."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.codec.lead import LEAST_BYTES, UNSETTLED, Lead, lead_of
from keepwarm.codec.pieces import Pieces

HEAD = '{"model":"m","system":"' + "s" * LEAST_BYTES + '", "messages": ['
TAIL = '] ,"stream":true}'
WORDS = st.text(max_size=20).map(lambda text: json.dumps({"role": "user", "content": text}))
COMMAS = st.sampled_from([",", ", ", " ,\n\t"])


class Envelope(msgspec.Struct):
    """What is read of a body here."""

    messages: list[msgspec.Raw]
    stream: bool = False


def body(messages: list[str], comma: str = ",", tail: str = TAIL) -> bytes:
    return (HEAD + comma.join(messages) + tail).encode()


def read(text: bytes) -> list[msgspec.Raw]:
    return msgspec.json.decode(text, type=Envelope).messages


def learn(text: bytes, old: Lead | None = None, known: Pieces | None = None) -> Lead | None:
    pieces = known or Pieces(read(text))
    return lead_of(text, pieces, [b"wire of " + piece for piece in pieces], old)


def said(count: int) -> list[str]:
    return [json.dumps({"role": "user", "content": f"message {number}"}) for number in range(count)]


@given(st.lists(WORDS, min_size=1, max_size=12), st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6), COMMAS)
def test_what_is_read_behind_a_lead_is_what_is_read_of_the_whole(
    first: list[str], more: list[str], further: list[str], comma: str
) -> None:
    lead = learn(body(first, comma))
    if lead is None:
        assert len(first) <= UNSETTLED
        return
    assert len(lead.places) == len(first) - UNSETTLED
    for rows in (first + more, first + more + further):
        text = body(rows, comma)
        cut = lead.cut(text)
        assert cut is not None
        assert len(cut.rest) <= len(text) - sum(map(len, rows[: len(lead.places)]))
        pieces = cut.pieces(text, read(cut.rest))
        assert pieces == [row.encode() for row in rows]
        assert pieces.wires == tuple(b"wire of " + row.encode() for row in rows[: len(lead.places)])
        assert msgspec.json.decode(cut.rest, type=Envelope).stream
        lead = learn(text, lead, pieces)
        assert lead is not None
        assert lead == learn(text), "the same, whether the request was read as a whole or behind another"


def test_another_request_is_none_of_its_own() -> None:
    rows = said(8)
    lead = learn(body(rows))
    assert lead is not None
    assert lead.cut(body(["null", *rows[1:]])) is None
    assert lead.cut(body(rows)[: len(lead.text) - 1]) is None
    assert lead.cut(lead.text + b"x") is None
    assert lead.cut(body(rows).replace(b'"m"', b'"n"')) is None


def test_a_request_that_ends_with_what_is_known_has_no_more() -> None:
    rows = said(8)
    lead = learn(body(rows))
    assert lead is not None
    text = body(rows[:4])
    cut = lead.cut(text)
    assert cut is not None
    pieces = cut.pieces(text, read(cut.rest))
    assert pieces == [row.encode() for row in rows[:4]]


@pytest.mark.parametrize("rows", [4, 8])
def test_a_member_that_is_there_twice_is_read_as_a_whole(rows: int) -> None:
    lead = learn(body(said(8)))
    assert lead is not None
    text = body(said(rows), tail='], "messages": [{"role": "user", "content": "the other"}]}')
    cut = lead.cut(text)
    assert cut is not None
    assert cut.pieces(text, read(cut.rest)) is None
    assert learn(text) is None, "nor is it expected to come again"


def test_small_and_short_requests_are_read_as_a_whole() -> None:
    assert learn(body(said(UNSETTLED))) is None
    small = b'{"messages":[' + ",".join(said(20)).encode() + b"]}"
    assert learn(small) is None
