"""Which conversation was in which slot of a server last: after a restart of keepwarm their caches are still there.

A row for each conversation that has had a slot, with the slot until another took it. No text stands here.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from keepwarm.ledger.records import Record

KEPT: Final = 512
"""Conversations that are remembered."""


class Tenant(msgspec.Struct, frozen=True):
    """A conversation that has had a slot."""

    lineage: str
    session: str
    kind: str
    slot: int | None
    """Where it was last; None when another has taken that slot since."""


def write(connection: sqlite3.Connection, server: str, record: Record) -> None:
    """Note where a request to the server with this address was seated."""
    if record.seat is None or record.seat.slot is None or not record.lineage:
        return
    slot = record.seat.slot
    connection.execute("UPDATE tenants SET slot = NULL WHERE server = ? AND slot = ?", (server, slot))
    connection.execute(
        "INSERT INTO tenants (server, lineage, session, kind, slot, used) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (server, lineage) DO UPDATE SET slot = excluded.slot, kind = excluded.kind, used = excluded.used",
        (server, record.lineage, record.session, record.kind, slot, record.at),
    )


def read(connection: sqlite3.Connection, server: str) -> tuple[Tenant, ...]:
    """The conversations that have had a slot of a server, the one used longest ago first."""
    rows = connection.execute(
        "SELECT lineage, session, kind, slot FROM tenants WHERE server = ? ORDER BY used DESC LIMIT ?", (server, KEPT)
    ).fetchall()
    return tuple(Tenant(*row) for row in reversed(rows))


def prune(connection: sqlite3.Connection) -> None:
    """Forget those that were used longest ago, beyond KEPT."""
    connection.execute(
        "DELETE FROM tenants WHERE used < (SELECT used FROM tenants ORDER BY used DESC LIMIT 1 OFFSET ?)", (KEPT,)
    )
