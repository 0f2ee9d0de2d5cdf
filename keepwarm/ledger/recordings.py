"""The texts of recorded requests: each distinct segment once, compressed, and each request as a row of digests.

A conversation of n turns would need n*n/2 digests if each request listed all of its own. So a request names the
request before it in its lineage and how many leading segments it shares with that one, and lists only the rest;
after at most `DEEPEST` such steps a list is written out whole, so that reading stays short.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import NamedTuple

import msgspec
import zstandard

from keepwarm.ledger.records import Recording

DEEPEST = 32
"""Lists that reading one request's list may have to go through."""
REMEMBERED = 256
"""Lineages whose newest list the writer keeps in memory."""


class _List(NamedTuple):
    request: int
    digests: list[bytes]
    depth: int


class Recorder:
    """Writes recordings through the writer's connection, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._compressor = zstandard.ZstdCompressor()
        self._newest: OrderedDict[tuple[str, int], _List] = OrderedDict()

    def write(self, request: int, lineage: str, recording: Recording) -> None:
        """Stores the segments of the request with the number `request`.

        A digest stands for exactly its bytes: a text whose digest is there already is not looked at.
        """
        for side, segments in enumerate((recording.received, recording.sent)):
            digests = [digest for digest, _ in segments]
            before = self._newest.get((lineage, side))
            shared = 0
            if before is not None and before.depth < DEEPEST:
                shared = _shared(before.digests, digests)
            for digest, text in segments[shared:]:
                self._store(digest, text)
            base = before.request if before is not None and shared else None
            self._connection.execute(
                "INSERT INTO request_segments (request, side, base, shared, digests) VALUES (?, ?, ?, ?, ?)",
                (request, side, base, shared, msgspec.msgpack.encode(digests[shared:])),
            )
            depth = before.depth + 1 if before is not None and shared else 0
            self._remember((lineage, side), _List(request, digests, depth))

    def forget(self) -> None:
        """What was written last did not last (the transaction was rolled back): nothing may build on it."""
        self._newest.clear()

    def forget_lineage(self, lineage: str) -> None:
        """Its requests are deleted: nothing may build on them."""
        for side in (0, 1):
            self._newest.pop((lineage, side), None)

    def _store(self, digest: bytes, text: bytes) -> None:
        known = self._connection.execute("UPDATE segments SET uses = uses + 1 WHERE digest = ?", (digest,))
        if not known.rowcount:
            packed = self._compressor.compress(text)
            self._connection.execute("INSERT INTO segments (digest, zstd, uses) VALUES (?, ?, 1)", (digest, packed))

    def _remember(self, key: tuple[str, int], newest: _List) -> None:
        self._newest[key] = newest
        self._newest.move_to_end(key)
        while len(self._newest) > 2 * REMEMBERED:
            self._newest.popitem(last=False)


def read(connection: sqlite3.Connection, request: int, record_id: str) -> Recording | None:
    """The recording of the request with the number `request`; None when it was not recorded."""
    received, sent = _digests(connection, request, 0), _digests(connection, request, 1)
    if received is None or sent is None:
        return None
    texts = {digest: _text(connection, digest) for digest in {*received, *sent}}
    return Recording(
        id=record_id,
        received=tuple((digest, texts[digest]) for digest in received),
        sent=tuple((digest, texts[digest]) for digest in sent),
    )


def _digests(connection: sqlite3.Connection, request: int, side: int) -> list[bytes] | None:
    row = connection.execute(
        "SELECT base, shared, digests FROM request_segments WHERE request = ? AND side = ?", (request, side)
    ).fetchone()
    if row is None:
        return None
    base, shared, packed = row
    head = (_digests(connection, base, side) or []) if base is not None else []
    return head[:shared] + msgspec.msgpack.decode(packed, type=list[bytes])


def _text(connection: sqlite3.Connection, digest: bytes) -> bytes:
    (packed,) = connection.execute("SELECT zstd FROM segments WHERE digest = ?", (digest,)).fetchone()
    return zstandard.ZstdDecompressor().decompress(packed)


def _shared(one: list[bytes], other: list[bytes]) -> int:
    """How many leading elements are the same."""
    for place, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return place
    return min(len(one), len(other))
