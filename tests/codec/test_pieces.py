"""Values of a text as they came, copied when they are asked for."""

from __future__ import annotations

import msgspec

from keepwarm.codec.pieces import Pieces

BODY = b'[ {"a": 1 } ,"two", 3.50 ]'
TEXTS = (b'{"a": 1 }', b'"two"', b"3.50")


def pieces() -> Pieces:
    return Pieces(msgspec.json.decode(BODY, type=list[msgspec.Raw]))


def test_pieces_are_the_bytes_that_came() -> None:
    found = pieces()
    assert tuple(found) == TEXTS
    assert (found[0], found[-1], found[1:]) == (TEXTS[0], TEXTS[-1], TEXTS[1:])
    assert all(type(piece) is bytes for piece in (*found, found[1], *found[:2]))
    assert found.lengths() == tuple(map(len, TEXTS))


def test_pieces_are_a_row_like_any_other() -> None:
    assert pieces() == TEXTS
    assert pieces() == pieces()
    assert pieces() != TEXTS[:2]
    assert pieces() != b"".join(TEXTS)
    assert (len(Pieces()), bool(Pieces()), bool(pieces())) == (0, False, True)
