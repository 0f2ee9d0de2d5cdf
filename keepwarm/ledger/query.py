"""Reading the ledger: everything a view shows comes from here, through a connection that cannot write.

A request is found in the order of writing (`seq`), which is the order in which requests ended. Each question is
answered from an index: with a million requests the newest, one by id, a page and a lineage take milliseconds;
`totals` reads every request since its moment.
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
from keepwarm.ledger import migrations, recordings
from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.rows import COLUMNS, record_of
from keepwarm.ledger.sums import SUMS

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


class Totals(msgspec.Struct, frozen=True):
    """Sums over the requests since a moment. Tokens of requests whose server reported none are in no sum."""

    requests: int
    failed: int
    """Requests that did not end as they should, hang-ups not counted."""
    unreported: int
    """Requests whose server did not say how many tokens it reused."""
    prompt_tokens: int
    """Over all requests that reported it; the share reused is cached / (cached + processed)."""
    cached_tokens: int
    processed_tokens: int
    output_tokens: int
    lost_tokens: int
    """Tokens processed again that had been processed before."""
    lost_by_cause: tuple[tuple[str, int], ...]
    """(rule code, lost tokens), most first; a request's loss stands under its first cause, "" when none is known."""
    dropped: int
    """Records that could not be kept."""
    drop_reason: str
    """Why, for the latest of them; "" when none was dropped."""


class Query:
    """An open ledger for reading. Use it with `with`, in the thread that made it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises LedgerError when there is no ledger yet, or the file is none that this keepwarm can read."""
        self.path = Path(path)
        if not self.path.is_file() or not self.path.stat().st_size:
            raise self.nothing_yet()
        self._connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0, isolation_level=None
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
            raise LedgerError(f"the ledger {self.path} cannot be read: {error}") from error
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

    def nothing_yet(self) -> LedgerError:
        """The error for a ledger without requests."""
        return LedgerError(
            f"no requests yet: the ledger {self.path} is made and filled by `keepwarm serve` once an agent talks to it"
        )

    def last(self) -> Record | None:
        """The newest request; None when there is none."""
        return next(iter(self.page(limit=1).records), None)

    def get(self, record_id: str) -> Record | None:
        """The request with exactly this id."""
        rows = self._rows(f"{_SELECT} WHERE id = ?", record_id)
        return record_of(rows[0][1:]) if rows else None

    def by_id(self, prefix: str) -> Record:
        """The request whose id begins so. Raises LedgerError when there is none, or several (it names some)."""
        if not prefix:
            raise LedgerError("an id is needed: `keepwarm log` shows them")
        if exact := self.get(prefix):
            return exact
        rows = self._rows(f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY id LIMIT {_LISTED + 1}", *_span(prefix))
        if not rows:
            raise LedgerError(f"no request has an id that begins with {prefix!r}: `keepwarm log` shows them")
        if len(rows) > 1:
            raise LedgerError(_ambiguous("request", prefix, [row[1] for row in rows]))
        return record_of(rows[0][1:])

    def page(self, before: int | None = None, limit: int = 50, session: str | None = None) -> Page:
        """Up to `limit` requests before the place `before` (None: the newest), newest first.

        `session` is the beginning of a session's name; LedgerError when none or several begin so.
        """
        where, values = self._conditions(session)
        if before is not None:
            where.append("seq < ?")
            values.append(before)
        rows = self._rows(f"{_SELECT}{_all(where)} ORDER BY seq DESC LIMIT ?", *values, limit + 1)
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(tuple(record_of(row[1:]) for row in rows), rows[-1][0] if more and rows else None)

    def follow(self, since: int, limit: int = 500, session: str | None = None) -> News:
        """Up to `limit` requests after the place `since` (`end()` for those to come), oldest first."""
        where, values = self._conditions(session)
        rows = self._rows(f"{_SELECT}{_all([*where, 'seq > ?'])} ORDER BY seq LIMIT ?", *values, since, limit)
        return News(tuple(record_of(row[1:]) for row in rows), rows[-1][0] if rows else since)

    def end(self) -> int:
        """The place of the newest request, for `follow`; 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM requests")[0][0])

    def change(self) -> int:
        """A number that is another one after any other process has written to the file."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def lineage(self, lineage: str, limit: int = 1000) -> tuple[Record, ...]:
        """The newest `limit` requests of a lineage, oldest first."""
        rows = self._rows(f"{_SELECT} WHERE lineage = ? ORDER BY seq DESC LIMIT ?", lineage, limit)
        return tuple(record_of(row[1:]) for row in reversed(rows))

    def around(self, record: Record, earlier: int, later: int) -> tuple[Record, ...]:
        """The requests of a record's lineage around it, oldest first: up to `earlier` with itself, and `later` more."""
        (place,) = self._rows("SELECT seq FROM requests WHERE id = ?", record.id) or [(0,)]
        where, order = f"{_SELECT} WHERE lineage = ? AND seq", "ORDER BY seq"
        before = self._rows(f"{where} <= ? {order} DESC LIMIT ?", record.lineage, place[0], earlier)
        after = self._rows(f"{where} > ? {order} LIMIT ?", record.lineage, place[0], later)
        return tuple(record_of(row[1:]) for row in (*reversed(before), *after))

    def is_recorded(self, record_id: str) -> bool:
        """Whether a request's texts are there."""
        found = "SELECT 1 FROM request_segments WHERE request = (SELECT seq FROM requests WHERE id = ?) LIMIT 1"
        return bool(self._rows(found, record_id))

    def texts(self, record_id: str) -> Recording | None:
        """What a request said and what went upstream for it; None when it was not recorded (or is not there)."""
        rows = self._rows("SELECT seq FROM requests WHERE id = ?", record_id)
        try:
            return recordings.read(self._connection, rows[0][0], record_id) if rows else None
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be read: {error}") from error

    def totals(self, since: float = 0.0) -> Totals:
        """Sums over the requests that came at or after `since` (Unix seconds)."""
        moment: dict[str, object] = {"since": since}
        (sums,) = self._rows(
            f"SELECT {', '.join(SUMS.values())} FROM requests WHERE at >= :since",
            named=moment,
        )
        causes = self._rows(
            "SELECT coalesce(cause, ''), sum(lost) FROM requests WHERE at >= :since AND lost > 0"
            " GROUP BY 1 ORDER BY 2 DESC, 1",
            named=moment,
        )
        drops = self._rows("SELECT count, reason FROM drops WHERE at >= :since ORDER BY rowid", named=moment)
        return Totals(
            **dict(zip(SUMS, sums, strict=True)),
            lost_by_cause=tuple((cause, lost) for cause, lost in causes),
            dropped=sum(count for count, _ in drops),
            drop_reason=drops[-1][1] if drops else "",
        )

    def session(self, prefix: str) -> str:
        """The session whose name begins so. Raises LedgerError when there is none, or several (it names some)."""
        found: list[str] = []
        low, high = _span(prefix)
        # From one name to the next through the index: DISTINCT would read each request of a long session.
        while len(found) <= _LISTED:
            (name,) = self._rows("SELECT min(session) FROM requests WHERE session >= ? AND session < ?", low, high)[0]
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

    def _rows(self, sql: str, *values: object, named: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, named or values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be read: {error}") from error


def _span(prefix: str) -> tuple[str, str]:
    return prefix, prefix + _LAST_CHARACTER


def _all(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _ambiguous(what: str, prefix: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    more = ", ..." if len(listed) > _LISTED else ""
    return f"several {what}s begin with {prefix!r}: {', '.join(listed[:_LISTED])}{more}"
