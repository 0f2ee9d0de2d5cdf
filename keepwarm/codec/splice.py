"""Edit JSON text in place: find where a value stands, put other bytes there, leave every other byte alone.

A library that parses and serialises again changes white space, number spelling and key order, and each of
those changes is a cache miss on a server that renders what it is sent. So nothing here serialises: a scan
gives half-open byte spans, and `splice` joins the untouched pieces with the replacements.

The scan walks the text with msgspec's raw values: msgspec skips a value at C speed and says how long it
is, and since JSON allows nothing but white space and punctuation between values, lengths give offsets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple, TypeVar

import msgspec
import xxhash

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.errors import BadJson

T = TypeVar("T")

_SPACE = re.compile(rb"[ \t\n\r]*")
_KEY = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class Span(NamedTuple):
    """Where a value stands: body[start:end] is its text, without the white space around it."""

    start: int
    end: int


class Patch(NamedTuple):
    """body[start:end] becomes `text`; start == end inserts."""

    start: int
    end: int
    text: bytes


def whole(body: bytes) -> Span:
    """The span of the one value that `body` holds."""
    start = _skip(body, 0)
    return Span(start, len(body.rstrip(b" \t\n\r")))


def members(body: bytes, span: Span | None = None) -> dict[str, Span]:
    """The spans of an object's values by key, in the order of the text.

    Raises BadJson when the text at `span` is not an object or says the same key twice (the two readings
    of such a text differ, and what the model reads would depend on the reader).
    """
    start, end = span if span is not None else whole(body)
    values = _decode(_OBJECT, body, start, end, "an object")
    found: dict[str, Span] = {}
    view = memoryview(body)
    at = _skip(body, start + 1)
    for key, raw in values.items():
        name = _KEY.match(body, at)
        if name is None:  # pragma: no cover - msgspec has accepted the text
            raise BadJson("the JSON object has a key that is not a string")
        at = _skip(body, _skip(body, name.end()) + 1)
        size = len(raw)
        if not _same(view[at : at + size], raw) or msgspec.json.decode(name.group()) != key:
            raise BadJson(f"the JSON object says the key {key!r} twice: send it once")
        found[key] = Span(at, at + size)
        at = _skip(body, _skip(body, at + size) + 1)
    if found and at <= end - 1:
        raise BadJson("the JSON object says a key twice: send it once")
    return found


def elements(body: bytes, span: Span | None = None, sizes: Sequence[int] = ()) -> list[Span]:
    """The spans of an array's values in order. Raises BadJson when the text at `span` is not an array.

    sizes  the bytes of each value, where they are known: the array is then not read again
    """
    start, end = span if span is not None else whole(body)
    sizes = sizes or [len(raw) for raw in _decode(_ARRAY, body, start, end, "an array")]
    if sum(sizes) + len(sizes) + 1 == end - start:  # nothing but commas between them
        ends = [start + place + size for place, size in enumerate(accumulate(sizes), 1)]
        return [Span(stop - size, stop) for stop, size in zip(ends, sizes, strict=True)]
    found: list[Span] = []
    at = _skip(body, start + 1)
    for size in sizes:
        found.append(Span(at, at + size))
        at = _skip(body, _skip(body, at + size) + 1)
    return found


def splice(body: bytes, patches: Iterable[Patch]) -> bytes:
    """`body` with every patch applied.

    Patches may come in any order, and inserts at one place stand there in the order given. Raises ValueError for
    patches that overlap or lie outside the body.
    """
    pieces: list[bytes | memoryview] = []
    view = memoryview(body)
    at = 0
    for start, end, text in sorted(patches, key=itemgetter(0, 1)):
        if not at <= start <= end <= len(body):
            raise ValueError(f"the patch of bytes {start} to {end} overlaps another, or is not in the body")
        pieces += (view[at:start], text)
        at = end
    pieces.append(view[at:])
    return b"".join(pieces)


def without(body: bytes, container: Span, spans: list[Span], drop: Iterable[int]) -> list[Patch]:
    """Patches that take array elements out, each with the comma that its place needs.

    container  the array's span;  spans  all its elements' spans;  drop  the indexes that go
    """
    gone = set(drop)
    kept = [index for index in range(len(spans)) if index not in gone]
    if not gone:
        return []
    if not kept:
        return [Patch(container.start + 1, container.end - 1, b"")]
    patches: list[Patch] = []
    for index in sorted(gone):
        if index < kept[0]:
            patches.append(Patch(spans[index].start, spans[index + 1].start, b""))
        else:
            patches.append(Patch(spans[index - 1].end, spans[index].end, b""))
    return patches


def with_member(body: bytes, name: str, value: bytes) -> bytes:
    """The text of an object with one value changed, or with one more member at its end.

    Raises BadJson when `body` is not an object.
    """
    spans = members(body)
    return splice(body, [member_patch(body, spans, name, value)])


def member_patch(body: bytes, spans: Mapping[str, Span], name: str, value: bytes) -> Patch:
    """The patch that gives an object's member a value; `spans` are its `members`. At the end where it is new."""
    if name in spans:
        return Patch(*spans[name], value)
    end = body.rindex(b"}")
    return Patch(end, end, (b"," if spans else b"") + msgspec.json.encode(name) + b":" + value)


def _same(here: memoryview, raw: msgspec.Raw) -> bool:
    """Whether two texts are one. By digest: two copies of a megabyte take longer than to read it twice."""
    return len(here) == len(raw) and xxhash.xxh3_128_digest(here) == xxhash.xxh3_128_digest(raw)


def _skip(body: bytes, at: int) -> int:
    match = _SPACE.match(body, at)
    return match.end() if match else at


def _decode(decoder: msgspec.json.Decoder[T], body: bytes, start: int, end: int, kind: str) -> T:
    try:
        return decoder.decode(memoryview(body)[start:end])
    except UNREADABLE as error:
        raise BadJson(f"expected {kind}: {error}") from error
