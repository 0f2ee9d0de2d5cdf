"""Reading the ledger: everything a view shows comes from here, through a connection that cannot write.

A request is found in the order of writing (`seq`), which is the order in which requests ended. Each question is
answered from an index or from sums that the file keeps: with a million requests the newest, one by id, a page, a
lineage, the sessions and the totals take milliseconds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from keepwarm.errors import LedgerError
from keepwarm.ledger import migrations, recordings, sessions, sums
from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.rows import COLUMNS, record_of
from keepwarm.ledger.sessions import ConversationSums, SessionPage, SessionSums
from keepwarm.ledger.sums import Bucket, Totals
from keepwarm.ledger.tallies import WHO

_SELECT = f"SELECT seq, {', '.join(COLUMNS)} FROM requests"
_LAST_CHARACTER = "\U0010ffff"
_LISTED = 5
"""How many candidates an error about an ambiguous prefix names."""


class Page(msgspec.Struct, frozen=True):
    """Some requests, newest first."""

    records: tuple[Record, ...]
    older: int | None
    """What to give as `before` for the next page; None when there is none."""


class News(msgspec.Struct, frozen=True):
    """The requests that came since, oldest first."""

    records: tuple[Record, ...]
    seen: int
    """What to give as `since` next time."""


class Only(msgspec.Struct, frozen=True):
    """Which requests a page has: those with exactly these values; None: any."""

    lineage: str | None = None
    cause: str | None = None
    """The first one of the verdict."""
    outcome: str | None = None
    kind: str | None = None
    client: str | None = None
    model: str | None = None


NO_MATTER = Only()


class Query:
    """An open ledger for reading. Use it with `with`, in the thread that made it."""

    def __init__(self, path: str | os.PathLike[str], *, any_thread: bool = False) -> None:
        """any_thread  it may be closed by another thread than the one that uses it

        Raises LedgerError when there is no ledger yet, or the file is none that this keepwarm can read."""
        self.path = Path(path)
        if not self.path.is_file() or not self.path.stat().st_size:
            raise self.nothing_yet()
        self._connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=5.0,
            isolation_level=None,
            check_same_thread=not any_thread,
        )
        try:
            known = len(migrations.STEPS)
            found = migrations.version(self._connection)
            migrations.refuse_newer(found, known)
            if 0 < found < known:
                raise LedgerError(
                    "it was written by an older keepwarm: start `keepwarm serve` once to bring it up to date"
                )
        except (LedgerError, sqlite3.Error) as error:
            self._connection.close()
            raise self._unreadable(error) from error
        if not found:
            self._connection.close()
            raise self.nothing_yet()

    def __enter__(self) -> Query:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _unreadable(self, error: Exception) -> LedgerError:
        advice = "" if isinstance(error, LedgerError) else ": move it away to begin a new one, or name another"
        return LedgerError(f"the ledger {self.path} cannot be read: {error}{advice}")

    def nothing_yet(self) -> LedgerError:
        """The error for a ledger without requests."""
        return LedgerError(
            f"no requests yet: the ledger {self.path} is made and filled by `keepwarm serve` once an agent talks to it "
            "(`keepwarm run claude` starts both)"
        )

    def last(self) -> Record | None:
        """The newest request; None when there is none."""
        return next(iter(self.page(limit=1).records), None)

    def get(self, record_id: str) -> Record | None:
        """The request with exactly this id."""
        rows = self._ask(f"{_SELECT} WHERE id = ?", record_id)
        return record_of(rows[0][1:]) if rows else None

    def by_id(self, prefix: str) -> Record:
        """The request whose id begins so. Raises LedgerError when there is none, or several (it names some)."""
        if not prefix:
            raise LedgerError("an id is needed: `keepwarm log` shows them")
        if exact := self.get(prefix):
            return exact
        rows = self._ask(f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY id LIMIT {_LISTED + 1}", *_span(prefix))
        if not rows:
            raise LedgerError(f"no request has an id that begins with {prefix!r}: `keepwarm log` shows them")
        if len(rows) > 1:
            raise LedgerError(_ambiguous("request", prefix, [row[1] for row in rows]))
        return record_of(rows[0][1:])

    def page(
        self, before: int | None = None, limit: int = 50, session: str | None = None, only: Only = NO_MATTER
    ) -> Page:
        """Up to `limit` requests before the place `before` (None: the newest), newest first.

        session  the beginning of a session's name; LedgerError when none or several begin so
        only     which of them
        """
        where, values = self._conditions(session)
        for column, value in msgspec.structs.asdict(only).items():
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        if before is not None:
            where.append("seq < ?")
            values.append(before)
        rows = self._ask(f"{_SELECT}{_all(where)} ORDER BY seq DESC LIMIT ?", *values, limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(tuple(record_of(row[1:]) for row in rows), rows[-1][0] if more and rows else None)

    def follow(self, since: int, limit: int = 500, session: str | None = None) -> News:
        """Up to `limit` requests after the place `since` (`end()` for those to come), oldest first."""
        where, values = self._conditions(session)
        rows = self._ask(f"{_SELECT}{_all([*where, 'seq > ?'])} ORDER BY seq LIMIT ?", *values, since, limit)
        return News(tuple(record_of(row[1:]) for row in rows), rows[-1][0] if rows else since)

    def place(self, record_id: str) -> int | None:
        """The place of a request in the order of writing, for `follow`; None when it is not there (yet)."""
        rows = self._ask("SELECT seq FROM requests WHERE id = ?", record_id)
        return int(rows[0][0]) if rows else None

    def end(self) -> int:
        """The place of the newest request, for `follow`; 0 when there is none."""
        return int(self._ask("SELECT coalesce(max(seq), 0) FROM requests")[0][0])

    def change(self) -> int:
        """A number that is another one after any other process has written to the file."""
        return int(self._ask("PRAGMA data_version")[0][0])

    def lineage(self, lineage: str, limit: int = 1000) -> tuple[Record, ...]:
        """The newest `limit` requests of a lineage, oldest first."""
        rows = self._ask(f"{_SELECT} WHERE lineage = ? ORDER BY seq DESC LIMIT ?", lineage, limit)
        return tuple(record_of(row[1:]) for row in reversed(rows))

    def worst(self, since: float, until: float, limit: int, session: str | None = None) -> tuple[Record, ...]:
        """The requests of a span of which most tokens were lost, that first; `session` as for `totals`."""
        where, values = "outcome IN ('partial', 'miss') AND lost > 0 AND at >= ? AND at < ?", [since, until]
        who: list[object] = []
        if session is not None:
            where, who = f"{where} AND {WHO.format('')} = ?", [session]
        rows = self._ask(f"{_SELECT} WHERE {where} ORDER BY lost DESC, seq LIMIT ?", *values, *who, limit)
        return tuple(record_of(row[1:]) for row in rows)

    def around(self, record: Record, earlier: int, later: int) -> tuple[Record, ...]:
        """The requests of a record's lineage around it, oldest first: up to `earlier` with itself, and `later` more."""
        (place,) = self._ask("SELECT seq FROM requests WHERE id = ?", record.id) or [(0,)]
        where, order = f"{_SELECT} WHERE lineage = ? AND seq", "ORDER BY seq"
        before = self._ask(f"{where} <= ? {order} DESC LIMIT ?", record.lineage, place[0], earlier)
        after = self._ask(f"{where} > ? {order} LIMIT ?", record.lineage, place[0], later)
        return tuple(record_of(row[1:]) for row in (*reversed(before), *after))

    def is_recorded(self, record_id: str) -> bool:
        """Whether a request's texts are there."""
        found = "SELECT 1 FROM request_segments WHERE request = (SELECT seq FROM requests WHERE id = ?) LIMIT 1"
        return bool(self._ask(found, record_id))

    def texts(self, record_id: str) -> Recording | None:
        """What a request said and what went upstream for it; None when it was not recorded (or is not there)."""
        rows = self._ask("SELECT seq FROM requests WHERE id = ?", record_id)
        try:
            return recordings.read(self._connection, rows[0][0], record_id) if rows else None
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def totals(self, since: float = 0.0, until: float | None = None, session: str | None = None) -> Totals:
        """Sums over the requests that came at or after `since` and before `until` (Unix seconds).

        `session` is a session's whole name, or a conversation's where the client names none.
        """
        return sums.totals(self._ask, since, until, session)

    def series(self, since: float, until: float | None, step: float) -> tuple[Bucket, ...]:
        """The sums of each step (seconds) of a span that has requests, oldest first.

        Quick where `step` is made of whole hours; else each request of the span is read.
        """
        return sums.series(self._ask, since, until, step)

    def sessions(self, limit: int = 100, before: int | None = None, since: float = 0.0) -> SessionPage:
        """Up to `limit` sessions, the one with the newest request first; `before` as the page in front says.

        `since` leaves out sessions without a request since that moment (Unix seconds); the sums are always of all of a
        session. Where a client names no session each of its conversations is one.
        """
        return sessions.sessions(self._ask, limit, before, since)

    def session_sums(self, name: str) -> SessionSums | None:
        """One session by its whole name; None when there is none."""
        return next(iter(sessions.sessions(self._ask, 1, None, 0.0, name).sessions), None)

    def conversations(self, session: str) -> tuple[ConversationSums, ...]:
        """The conversations of a session (its whole name), in the order in which they began."""
        return sessions.conversations(self._ask, session)

    def session(self, prefix: str) -> str:
        """The session whose name begins so. Raises LedgerError when there is none, or several (it names some)."""
        found: list[str] = []
        low, high = _span(prefix)
        # From one name to the next through the index: DISTINCT would read each request of a long session.
        while len(found) <= _LISTED:
            (name,) = self._ask("SELECT min(session) FROM requests WHERE session >= ? AND session < ?", low, high)[0]
            if name is None:
                break
            found.append(name)
            if name == prefix:
                break
            low = name + "\x00"
        if not found:
            raise LedgerError(f"no session has a name that begins with {prefix!r}: `keepwarm log` shows them")
        if len(found) > 1:
            raise LedgerError(_ambiguous("session", prefix, found))
        return found[0]

    def _conditions(self, session: str | None) -> tuple[list[str], list[object]]:
        return (["session = ?"], [self.session(session)]) if session else ([], [])

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error


def _span(prefix: str) -> tuple[str, str]:
    return prefix, prefix + _LAST_CHARACTER


def _all(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _ambiguous(what: str, prefix: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    more = ", ..." if len(listed) > _LISTED else ""
    return f"several {what}s begin with {prefix!r}: {', '.join(listed[:_LISTED])}{more}"
