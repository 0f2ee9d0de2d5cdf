"""What the ledger knows at a moment, as much of it as a screen can show."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from keepwarm.ledger.query import NO_MATTER, Only, Query
from keepwarm.ledger.records import Record
from keepwarm.ledger.sessions import ConversationSums, SessionSums
from keepwarm.ledger.sums import Totals
from keepwarm.views.explain import LATER_SHOWN, TURNS_SHOWN
from keepwarm.views.segments import Diff, diff

SESSIONS: Final = 200
"""Sessions that are listed at the most."""
REQUESTS: Final = 500
"""Requests that are listed at the most."""
PERIODS: Final = (("1 h", 3_600.0), ("24 h", 86_400.0), ("7 days", 604_800.0), ("all", None))
"""What may be looked at: its name, and seconds back from now; None for the whole ledger."""
DAY: Final = 1
WHOLE: Final = 3


class Asked(msgspec.Struct, frozen=True):
    """What the person wants to see."""

    period: int = DAY
    """A place in PERIODS."""
    session: str = ""
    """The name of the only session that is shown; "" for all of them."""
    words: str = ""
    """What a session's name, client or model must contain; "" for anything."""
    rows: int = 60
    """Sessions of which the last request is wanted: those that there is room for."""


class Row(msgspec.Struct, frozen=True):
    """A session, or one conversation of it."""

    name: str
    """What it is known by: the session's name, or that of the lineage of a client that names no session."""
    sums: SessionSums | ConversationSums
    last: Record | None = None
    """Its newest request."""
    below: bool = False
    """It is a conversation of the session above it."""


class Picture(msgspec.Struct, frozen=True):
    """What was read."""

    at: float
    """Unix seconds."""
    period: int = DAY
    totals: Totals | None = None
    """None when there is no ledger yet."""
    rows: tuple[Row, ...] = ()
    more: int = 0
    """Sessions that are not among them, as far as they were read."""
    records: tuple[Record, ...] = ()
    """Newest first."""
    session: str = ""
    words: str = ""
    trouble: str = ""
    """Why there is nothing to see, and what to do."""


class Detail(msgspec.Struct, frozen=True):
    """All that the ledger has of one request."""

    record: Record
    previous: Record | None
    lineage: tuple[Record, ...]
    recorded: bool
    diff: Diff
    """Where it parts from the request before it."""


def gather(query: Query, asked: Asked, now: float) -> Picture:
    """Reads what is asked for. Raises LedgerError when the ledger cannot be read."""
    newest = query.last()
    if newest is None:
        return Picture(now, asked.period, trouble=str(query.nothing_yet()))
    period = asked.period
    if newest.at < since(period, now):  # nothing happened in this time: what was before says more than nothing
        period = WHOLE
    start = since(period, now)
    if asked.session:
        one = query.session_sums(asked.session)
        found = [one] if one is not None else []
    else:
        found = [one for one in query.sessions(limit=SESSIONS, since=start).sessions if _fits(one, asked.words)]
    rows = tuple(row for one in found[: asked.rows] for row in _rows(query, one, conversations=bool(asked.session)))
    records = _records(query, found[0], REQUESTS) if asked.session and found else query.page(limit=REQUESTS).records
    if asked.words and not asked.session:
        names = {one.name for one in found}
        records = tuple(record for record in records if (record.session or record.lineage) in names)
    return Picture(
        now,
        period,
        query.totals(since=start),
        rows,
        max(0, len(found) - asked.rows),
        tuple(record for record in records if record.at >= start),
        asked.session,
        asked.words,
    )


def look(query: Query, record_id: str) -> Detail | None:
    """One request with what belongs to it; None when it is not there."""
    record = query.get(record_id)
    if record is None:
        return None
    previous = query.get(record.parent) if record.parent else None
    lineage = query.around(record, TURNS_SHOWN, LATER_SHOWN) if record.lineage else ()
    after = query.texts(record.id)
    before = query.texts(previous.id) if previous is not None and after is not None else None
    return Detail(record, previous, lineage, after is not None, diff(record, after, before))


def since(period: int, now: float) -> float:
    """The moment at which a period of PERIODS begins."""
    back = PERIODS[period][1]
    return 0.0 if back is None else now - back


def _fits(one: SessionSums, wanted: str) -> bool:
    return all(word in f"{one.name} {one.client} {one.model}".lower() for word in wanted.lower().split())


def _rows(query: Query, one: SessionSums, conversations: bool) -> list[Row]:
    """A session's line, and those of its conversations when they are wanted."""
    kind = Only(kind="main")
    last = _records(query, one, 1, kind) or _records(query, one, 1)
    rows = [Row(one.name, one, last[0] if last else None)]
    if conversations:
        for conversation in query.conversations(one.name):
            newest = query.lineage(conversation.lineage, limit=1)
            rows.append(Row(one.name, conversation, newest[-1] if newest else None, below=True))
    return rows


def _records(query: Query, one: SessionSums, limit: int, only: Only = NO_MATTER) -> tuple[Record, ...]:
    """The newest requests of a session, newest first."""
    if one.session:
        return query.page(limit=limit, session=one.session, only=only).records
    return query.page(limit=limit, only=replace(only, lineage=one.name)).records
