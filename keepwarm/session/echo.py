"""What the server generated, kept in the turn in which the client gave it back: its words are there already.

The turn's upstream text is JSON and was written from the answer. So each text of the answer is found in it, and what is
kept is where; a text that is not there (another writer escaped it in another way) is kept as it is.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.core.answer import Answer
from keepwarm.session.lineage import Standing

SHORT: Final = 24
"""Bytes up to which a text is kept as it is."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Where a text stands."""

    start: int
    end: int
    quoted: bool
    """Whether as a JSON string; else as it is."""


Piece: TypeAlias = str | Span


class Echo(msgspec.Struct, frozen=True):
    """An answer without its words."""

    answer: Answer
    """Its texts, its reasoning and the arguments of its calls left out."""
    text: Piece
    thinking: Piece
    arguments: tuple[Piece, ...]
    after: bytes
    """The chain digest of the turns that it answers."""
    number: int = 0
    """Of the request that it answers, in its conversation."""


def echo_of(answer: Answer, turn: Standing, after: bytes, number: int) -> Echo:
    """The answer to request `number`, whose turns have the chain digest `after`, as it came back in `turn`."""
    source = turn.chunk or turn.raw
    calls = tuple(replace(call, arguments="") for call in answer.calls)
    return Echo(
        replace(answer, text="", thinking="", calls=calls),
        _find(answer.text, source),
        _find(answer.thinking, source),
        tuple(_find(call.arguments, source) for call in answer.calls),
        after,
        number,
    )


def generated(echo: Echo, turn: Standing) -> Answer:
    """The answer. Raises ValueError where the turn does not hold it."""
    source = turn.chunk or turn.raw
    pairs = zip(echo.answer.calls, echo.arguments, strict=True)
    calls = tuple(replace(call, arguments=_read(piece, source)) for call, piece in pairs)
    return replace(echo.answer, text=_read(echo.text, source), thinking=_read(echo.thinking, source), calls=calls)


def _find(text: str, source: bytes) -> Piece:
    if len(text) <= SHORT:
        return text
    for encoded, quoted in ((msgspec.json.encode(text)[1:-1], True), (text.encode("utf-8", "surrogatepass"), False)):
        at = source.find(encoded)
        if at >= 0:
            return Span(at, at + len(encoded), quoted)
    return text


def _read(piece: Piece, source: bytes) -> str:
    if isinstance(piece, str):
        return piece
    part = source[piece.start : piece.end]
    return msgspec.json.decode(b'"' + part + b'"', type=str) if piece.quoted else part.decode("utf-8", "surrogatepass")
