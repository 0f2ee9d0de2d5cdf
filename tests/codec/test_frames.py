"""A stream is cut by the network wherever it likes: the frames must not show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keepwarm.codec.frames import Frame, LineDecoder, SseDecoder, sse

# Few letters and every byte that means something, so that short streams hold the odd cases.
STREAMS = st.lists(
    st.sampled_from([b"data", b"event", b"id", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"x", b"\xc3\xa4"])
).map(b"".join)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
NAMES = st.text("abc_", max_size=5)
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n")).map(str.encode)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """`stream` cut at these places, wrapped around; empty pieces stay."""
    at = sorted(place % (len(stream) + 1) for place in places)
    return [stream[start:end] for start, end in zip([0, *at], [*at, len(stream)], strict=True)]


def frames(pieces: list[bytes]) -> list[Frame]:
    decoder = SseDecoder()
    found = [frame for piece in pieces for frame in decoder.feed(piece)]
    return found + decoder.finish()


def by_the_book(stream: bytes) -> list[Frame]:
    """The standard read literally, slowly, over the whole stream at once; the end counts as a blank line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[Frame] = []
    event, data = "", b""
    for line in [*text.split(b"\n"), b""]:
        name, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if line == b"":
            if data:
                found.append(Frame(event, data[:-1]))
            event, data = "", b""
        elif name == b"data":
            data += value + b"\n"
        elif name == b"event":
            event = value.decode("utf-8", "replace")
    return found


@given(STREAMS, st.lists(st.integers(min_value=0)))
@example(b"data: x\r\n\r\ndata: y\r\n\r\n", [8, 9, 10])
@example(b"data:x\r\rdata:y\r\r", [7, 8])
@example(b"\xef\xbb\xbfdata: x\n\n", [1, 2])
@example(b"\r\ndata:x\n\n", [1])
def test_any_cut_gives_the_frames_of_the_standard(stream: bytes, places: list[int]) -> None:
    assert frames(cut(stream, places)) == by_the_book(stream)


@given(st.lists(st.tuples(NAMES, st.lists(LINE, min_size=1)), max_size=6), ENDS, st.lists(st.integers(min_value=0)))
def test_what_was_framed_comes_back(events: list[tuple[str, list[bytes]]], end: bytes, places: list[int]) -> None:
    stream = b"".join(
        (b"event: " + name.encode() + end if name else b"") + b"".join(b"data: " + line + end for line in lines) + end
        for name, lines in events
    )
    assert frames(cut(stream, places)) == [Frame(name, b"\n".join(lines)) for name, lines in events]


@given(NAMES, LINE)
def test_a_written_frame_reads_as_itself(name: str, data: bytes) -> None:
    assert frames([sse(name, data)]) == [Frame(name, data)]


def test_a_frame_is_given_as_soon_as_its_blank_line_is_there() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\n") == []
    assert decoder.feed(b"\ndata: b") == [Frame("", b"a")]
    assert decoder.feed(b"\n\n") == [Frame("", b"b")]
    assert decoder.finish() == []


def test_comments_and_frames_without_data_say_nothing() -> None:
    assert frames([b": keep alive\n\nevent: only\n\nid: 7\nretry: 3\n\ndata: x\n\n"]) == [Frame("", b"x")]


def test_a_stream_that_ends_in_a_frame_gives_it() -> None:
    assert frames([b"event: e\ndata: last"]) == [Frame("e", b"last")]


def test_an_endless_event_is_refused() -> None:
    with pytest.raises(ValueError, match="over 10 bytes"):
        SseDecoder(limit=10).feed(b"data: a longer line than allowed")
    decoder = SseDecoder(limit=10)
    decoder.feed(b"data: 12345\n")
    with pytest.raises(ValueError, match="over 10 bytes"):
        decoder.feed(b"data: 67890\ndata: 1\n")


@pytest.mark.parametrize("make", [SseDecoder, LineDecoder])
def test_a_long_line_in_small_pieces_is_joined_once(make: Callable[[], SseDecoder | LineDecoder]) -> None:
    """4 MB in pieces of 16 bytes: joining at each piece would copy half a terabyte."""
    decoder = make()
    for _ in range(4 * 1024 * 1024 // 16):
        assert decoder.feed(b"data: 0123456789") == []
    (found,) = decoder.feed(b"\n\n")
    assert len(found.data if isinstance(found, Frame) else found) == 4 * 1024 * 1024 - (isinstance(found, Frame) and 6)


@given(
    st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))), st.booleans(), st.lists(st.integers(min_value=0))
)
def test_any_cut_gives_the_same_lines(lines: list[bytes], closed: bool, places: list[int]) -> None:
    stream = b"\n".join(lines) + (b"\n" if closed else b"")
    decoder = LineDecoder()
    found = [line for piece in cut(stream, places) for line in decoder.feed(piece)] + decoder.finish()
    assert found == [line.strip() for line in lines if line.strip()]


def test_an_endless_line_is_refused() -> None:
    decoder = LineDecoder(limit=10)
    assert decoder.feed(b"123456789\n12345678") == [b"123456789"]
    with pytest.raises(ValueError, match="over 10 bytes"):
        decoder.feed(b"901")
