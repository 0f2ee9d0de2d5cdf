"""Old requests go: a whole conversation when nobody has gone on with it for long, with its texts if they are recorded.

A conversation goes as one, because the recordings of its requests build on each other; its newest request goes first,
so that whatever is left can be read at any time. Each step deletes a few rows. The file does not shrink: what comes
takes the room of what went.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec

from keepwarm.ledger.recordings import Recorder

DAY: Final = 86_400.0
SWEEP_SECONDS: Final = 3600.0
"""How often conversations are looked for that are too old."""
AT_ONCE: Final = 100
"""Requests that are deleted with one batch: so that nobody waits long for the writer."""


class Retention:
    """Deletes through the writer's connection, within the writer's transaction.

    days  since a conversation was gone on with last
    """

    def __init__(self, connection: sqlite3.Connection, recorder: Recorder, days: float) -> None:
        self._connection = connection
        self._recorder = recorder
        self._days = days
        self._swept = 0.0

    def sweep(self, now: float) -> None:
        """Delete some of what is too old at `now` (Unix seconds); the rest with the batches to come."""
        if now - self._swept < SWEEP_SECONDS:
            return
        oldest = now - self._days * DAY
        left = AT_ONCE
        while left > 0:
            gone = self._step(oldest, left)
            if not gone:
                self._swept = now
                self._connection.execute("DELETE FROM drops WHERE at < ?", (oldest,))
                return
            left -= gone

    def _step(self, oldest: float, most: int) -> int:
        """Delete up to `most` requests of one conversation; how many it were."""
        found = self._ask(
            "SELECT session, lineage FROM lineages WHERE last_at < ? AND lineage <> '' ORDER BY last_at LIMIT 1", oldest
        )
        if not found:
            return self._strays(oldest, most)
        session, lineage = found[0]
        rows = self._ask(
            "SELECT seq FROM requests WHERE lineage = ? AND session = ? ORDER BY seq DESC LIMIT ?",
            lineage,
            session,
            most,
        )
        self._recorder.forget_lineage(lineage)
        self._delete([seq for (seq,) in rows])
        return len(rows)

    def _strays(self, oldest: float, most: int) -> int:
        """Requests that never got as far as a conversation go one by one."""
        rows = self._ask("SELECT seq, at FROM requests WHERE lineage = '' ORDER BY seq LIMIT ?", most)
        gone = [seq for seq, at in rows if at < oldest]
        self._delete(gone)
        return len(gone)

    def _delete(self, seqs: list[int]) -> None:
        for seq in seqs:
            for (packed,) in self._ask("SELECT digests FROM request_segments WHERE request = ?", seq):
                for digest in msgspec.msgpack.decode(packed, type=list[bytes]):
                    self._connection.execute("UPDATE segments SET uses = uses - 1 WHERE digest = ?", (digest,))
                    self._connection.execute("DELETE FROM segments WHERE digest = ? AND uses <= 0", (digest,))
            self._connection.execute("DELETE FROM request_segments WHERE request = ?", (seq,))
            self._connection.execute("DELETE FROM requests WHERE seq = ?", (seq,))

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()
