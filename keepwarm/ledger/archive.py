"""What stands of conversations, on disk: each row sealed, and found by those only who know how a conversation begins.

The writer's thread adds what is new (`Archivist`), in the transaction of the request's record. A look-up (`Archive`) is
for a conversation that is not in memory: after a restart, or when it was pushed out. Both are bounded: conversations
that nobody has gone on with for long are let go, and the oldest ones where all together take too much room.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any, Final

import msgspec

from keepwarm.core.secret import Address, Parcel
from keepwarm.ledger.seal import Lock, Seal, Unreadable

DAY: Final = 86_400.0
SWEEP_SECONDS: Final = 3600.0
"""How often conversations are looked for that are too old."""
AT_ONCE: Final = 32
"""Conversations that are let go with one batch: so that nobody waits long for the writer."""
MOST: Final = 4
"""Conversations that one look-up gives: as a rule there is one."""
ROW_BYTES: Final = 80
"""What a row takes on disk besides what is sealed in it."""


class Limits(msgspec.Struct, frozen=True):
    """How much is kept."""

    days: float = 30.0
    """Since a conversation was gone on with last."""
    bytes: int = 2**30


class Found(msgspec.Struct, frozen=True):
    """A conversation as it was kept."""

    number: int
    secret: bytes
    values: tuple[bytes, ...]
    """Its rows in the order in which they were written."""


class Archivist:
    """Writes through the writer's connection, within the writer's transaction."""

    def __init__(self, connection: sqlite3.Connection, seal: Seal, limits: Limits) -> None:
        self._connection = connection
        self._seal = seal
        self._limits = limits
        self._size = 0
        self._swept = 0.0
        self.recount()

    def write(self, parcel: Parcel, at: float) -> None:
        """Write what is new of a conversation that was used at `at` (Unix seconds)."""
        address = parcel.address
        number, name = self._number(address, parcel.conversation, at)
        lock = self._seal.lock(address.secret)
        grown = 0
        for row in parcel.rows:
            place = lock.name(row.name)
            sealed = lock.shut(row.value, name + place)
            grown += self._replace(number, place, sealed)
        for gone in parcel.gone:
            grown += self._replace(number, lock.name(gone), None)
        self._grow(number, grown)
        if parcel.also:
            self._lead_there(parcel, name, at)

    def forget(self, number: int) -> None:
        """Let a conversation go."""
        row = self._connection.execute("SELECT size FROM conversations WHERE number = ?", (number,)).fetchone()
        if row is not None:
            self._connection.execute("DELETE FROM standing WHERE conversation = ?", (number,))
            self._connection.execute("DELETE FROM conversations WHERE number = ?", (number,))
            self._size -= row[0]

    def sweep(self, now: float) -> None:
        """Let the conversations go that are too old or too many, the oldest first and a few at a time."""
        if now - self._swept >= SWEEP_SECONDS:
            oldest = now - self._limits.days * DAY
            stale = self._oldest("WHERE used < ?", (oldest,))
            for number in stale:
                self.forget(number)
            if len(stale) < AT_ONCE:
                self._swept = now
        if self._size > self._limits.bytes:
            for number in self._oldest():
                if self._size <= self._limits.bytes:
                    break
                self.forget(number)

    def recount(self) -> None:
        """Count anew what is kept: a transaction was taken back, or none has been yet."""
        self._size = self._connection.execute("SELECT coalesce(sum(size), 0) FROM conversations").fetchone()[0]

    def _number(self, address: Address, conversation: str, at: float) -> tuple[int, bytes]:
        """(the number of a conversation, its name in the file); made when it is new."""
        place, owner = self._seal.place(address.secret), self._seal.name(address.owner)
        name = self._seal.name(conversation.encode())
        self._connection.execute(
            "INSERT INTO conversations (place, owner, name, used, size) VALUES (?, ?, ?, ?, 0) "
            "ON CONFLICT (place, owner, name) DO UPDATE SET used = max(used, excluded.used)",
            (place, owner, name, at),
        )
        found = self._connection.execute(
            "SELECT number FROM conversations WHERE place = ? AND owner = ? AND name = ?", (place, owner, name)
        ).fetchone()
        return found[0], name

    def _replace(self, number: int, name: bytes, sealed: bytes | None) -> int:
        """Put a row in the place of the one with its name (None: take that out). Gives back how much it grew."""
        old = self._connection.execute(
            "SELECT seq, length(sealed) FROM standing WHERE conversation = ? AND name = ?", (number, name)
        ).fetchone()
        grown = 0
        if old is not None:
            self._connection.execute("DELETE FROM standing WHERE seq = ?", (old[0],))
            grown -= old[1] + ROW_BYTES
        if sealed is not None:
            row = (number, name, sealed)
            self._connection.execute("INSERT INTO standing (conversation, name, sealed) VALUES (?, ?, ?)", row)
            grown += len(sealed) + ROW_BYTES
        return grown

    def _lead_there(self, parcel: Parcel, name: bytes, at: float) -> None:
        """Another secret opens this conversation too: there stands the first one, sealed with it."""
        also = parcel.also
        number, _ = self._number(Address(also, parcel.address.owner), parcel.conversation, at)
        door = self._seal.lock(also).shut(parcel.address.secret, name)
        self._connection.execute("UPDATE conversations SET door = ? WHERE number = ?", (door, number))
        self._grow(number, len(door) + ROW_BYTES)

    def _grow(self, number: int, grown: int) -> None:
        self._connection.execute("UPDATE conversations SET size = size + ? WHERE number = ?", (grown, number))
        self._size += grown

    def _oldest(self, where: str = "", values: tuple[float, ...] = ()) -> list[int]:
        rows = self._connection.execute(
            f"SELECT number FROM conversations {where} ORDER BY used LIMIT {AT_ONCE}", values
        )
        return [number for (number,) in rows]


class Archive:
    """Reads through a connection of its own that cannot write. Any thread may ask; one at a time is served."""

    def __init__(self, path: Path, seal: Seal) -> None:
        self._path = path
        self._seal = seal
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def fetch(self, address: Address, *, others: bool = False) -> tuple[list[Found], list[tuple[int, str]]]:
        """(what is kept at an address, the latest last; the conversations that cannot be opened, and why).

        others  whether one of another owner will do where this one has none: the latest. Raises sqlite3.Error.
        """
        with self._guard:
            return self._fetch(address, others)

    def close(self) -> None:
        """Closes the file."""
        with self._guard, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()

    def _fetch(self, address: Address, others: bool) -> tuple[list[Found], list[tuple[int, str]]]:
        found: list[Found] = []
        damaged: list[tuple[int, str]] = []
        for number, name, door in self._candidates(address, others):
            secret, behind = address.secret, [number]
            try:
                if door is not None:
                    secret = self._seal.lock(secret).open(door, name)
                    behind = self._behind(secret, name)
                for number in behind:
                    found.append(Found(number, secret, self._values(number, name, self._seal.lock(secret))))
            except Unreadable as error:
                damaged.append((number, str(error)))
        return found, damaged

    def _candidates(self, address: Address, others: bool) -> list[tuple[int, bytes, bytes | None]]:
        place = self._seal.place(address.secret)
        select = "SELECT number, name, door FROM conversations WHERE place = ?"
        mine = self._ask(
            f"{select} AND owner = ? ORDER BY used DESC LIMIT {MOST}", place, self._seal.name(address.owner)
        )
        if not mine and others:
            mine = self._ask(f"{select} AND door IS NULL ORDER BY used DESC LIMIT 1", place)
        return mine[::-1]

    def _behind(self, secret: bytes, name: bytes) -> list[int]:
        """The number of the conversation behind a door, if it is still there."""
        place = self._seal.place(secret)
        rows = self._ask("SELECT number FROM conversations WHERE place = ? AND name = ? LIMIT 1", place, name)
        return [number for (number,) in rows]

    def _values(self, number: int, name: bytes, lock: Lock) -> tuple[bytes, ...]:
        rows = self._ask("SELECT name, sealed FROM standing WHERE conversation = ? ORDER BY seq", number)
        return tuple([lock.open(sealed, name + row) for row, sealed in rows])

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro",
                uri=True,
                timeout=1.0,
                isolation_level=None,
                check_same_thread=False,
            )
        return self._connection.execute(query, values).fetchall()
