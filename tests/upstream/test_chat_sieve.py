"""The usage chunk that the client did not ask for, and nothing else, is taken out of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.upstream.chat_sieve import UsageSieve, is_usage

WORDS = [
    b'data: {"choices":[{"delta":{"content":"\\u0041 \\"usage\\""}}],"usage":null}\n\n',
    b": ping\n\n",
    b'event: odd\r\ndata: {"choices":[{"delta":{}, "finish_reason":"stop"}],\r\ndata: "usage" : {"x":1}}\r\n\r\n',
    b'data: {"choices":[]}\r\r',
    b'data: not "usage" of any kind\n\n',
]
USAGE = [
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"novel":[1.0]}}\n\n',
    b'data:{"id":"x","usage":{},\ndata: "choices" : [ ]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1}}\r\n\r\n',
]
DONE = b"data: [DONE]\n\n"


def sieved(data: bytes, cuts: list[int]) -> bytes:
    sieve, places = UsageSieve(), sorted(cuts)
    pieces = [sieve.feed(data[start:end]) for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    return b"".join(pieces) + sieve.finish()


@given(st.lists(st.sampled_from([*WORDS, *USAGE, DONE]), max_size=6), st.data())
def test_the_rest_passes_byte_for_byte_however_it_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frames)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert sieved(stream, cuts) == b"".join(frame for frame in frames if frame not in USAGE)


@pytest.mark.parametrize("frame", [*WORDS, DONE])
def test_what_says_anything_else_is_none(frame: bytes) -> None:
    assert not is_usage(frame)


@pytest.mark.parametrize("frame", USAGE)
def test_a_chunk_of_usage_is_one_however_it_is_written(frame: bytes) -> None:
    assert is_usage(frame)


@given(st.binary(max_size=40))
def test_what_is_no_event_stream_passes(data: bytes) -> None:
    assert sieved(data, [len(data) // 2]) == data


def test_no_frame_goes_on_before_its_end_and_each_as_soon_as_it_has() -> None:
    sieve = UsageSieve()
    assert sieve.feed(WORDS[0][:-1]) == b""
    assert sieve.feed(b"\ndata: ") == WORDS[0]
    assert sieve.feed(b"x") == b""
    assert sieve.finish() == b"data: x"
