"""The questions of the JSON API to the ledger: each takes its parameters and asks the query layer, in any thread."""

from __future__ import annotations

import io
from typing import Annotated, Final

import msgspec
from rich.console import Console

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Only, Page, Query
from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.sessions import NO_NAME, SessionPage
from keepwarm.ledger.sums import Totals
from keepwarm.shell.guard import Refused
from keepwarm.views.answers import Explanation, Series, SessionAnswer
from keepwarm.views.cost import Cost, cost_of
from keepwarm.views.explain import LATER_SHOWN, TURNS_SHOWN, explain
from keepwarm.views.segments import Diff, Segments, diff, segments

MISSED: Final = 500
"""Requests that a listener is told of when it comes back."""
BUCKETS: Final = 5000
"""Steps that a series may have."""
PAGE_WIDTH: Final = 100
"""Columns of an explanation as text."""
_Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
_Place = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
_Word = Annotated[str, msgspec.Meta(max_length=512)]


class Span(msgspec.Struct, frozen=True):
    """Which requests are summed."""

    since: _Moment = 0.0
    """Unix seconds: those that came then or later."""
    until: _Moment | None = None
    """Unix seconds: those that came before."""
    session: _Word | None = None
    """A session's name, as /api/sessions says it."""


class Spent(msgspec.Struct, frozen=True):
    """Which requests are reckoned."""

    since: _Moment = 0.0
    """Unix seconds: those that came then or later."""
    session: _Word | None = None
    """A session's name, as /api/sessions says it."""


class Steps(msgspec.Struct, frozen=True):
    """Which steps of time."""

    since: _Moment
    """Unix seconds: the requests that came then or later."""
    until: _Moment
    """Unix seconds: the requests that came before."""
    step: Annotated[float, msgspec.Meta(ge=1, le=366 * 86_400)] = 3600.0
    """Seconds of a step; quick where it is made of whole hours."""


class SessionsAsked(msgspec.Struct, frozen=True):
    """Which sessions."""

    limit: _Count = 100
    """How many at the most."""
    before: _Place | None = None
    """What the page in front said as `older`."""
    since: _Moment = 0.0
    """Unix seconds: those with a request then or later."""


class RequestsAsked(msgspec.Struct, frozen=True):
    """Which requests."""

    limit: _Count = 50
    """How many at the most."""
    before: _Place | None = None
    """What the page in front said as `older`."""
    session: _Word | None = None
    """A session's name, as /api/sessions says it, or the beginning of one that its client names."""
    lineage: _Word | None = None
    """Of one conversation."""
    cause: _Word | None = None
    """A rule's code: the first cause of the verdict."""
    outcome: _Word | None = None
    """hit, partial, miss, first or unknown."""
    kind: _Word | None = None
    """main, subagent or side."""
    client: _Word | None = None
    """A program's name and version."""
    model: _Word | None = None
    """The model that was asked for."""


class Named(msgspec.Struct, frozen=True):
    """Which session."""

    name: _Word
    """As /api/sessions says it."""


class Which(msgspec.Struct, frozen=True):
    """Which request."""

    id: _Word
    """Its id, or the beginning of it; or: last."""


def totals(query: Query, asked: Span) -> Totals:
    """/api/totals"""
    return query.totals(asked.since, asked.until, asked.session)


def sessions(query: Query, asked: SessionsAsked) -> SessionPage:
    """/api/sessions"""
    return query.sessions(asked.limit, asked.before, asked.since)


def session(query: Query, asked: Named) -> SessionAnswer:
    """/api/sessions/{name}"""
    found = query.session_sums(asked.name)
    if found is None:
        raise Refused(404, "there is no session of this name", "GET /api/sessions lists them")
    return SessionAnswer(found, query.conversations(asked.name))


def requests(query: Query, asked: RequestsAsked) -> Page:
    """/api/requests"""
    session, lineage = asked.session, asked.lineage
    named = query.session_sums(session) if session is not None else None
    if named is not None and not named.session:  # its client names none: the name is that of its one conversation
        session, lineage = None, "" if named.name == NO_NAME else named.name
    only = Only(lineage, asked.cause, asked.outcome, asked.kind, asked.client, asked.model)
    try:
        return query.page(asked.before, asked.limit, session, only)
    except LedgerError as error:
        if asked.session is None:
            raise
        raise Refused(404, str(error).partition(":")[0], "GET /api/sessions lists the sessions") from error


def explanation(query: Query, asked: Which) -> Explanation:
    """/api/requests/{id}"""
    record = _record(query, asked.id)
    previous = query.get(record.parent) if record.parent else None
    recorded = query.is_recorded(record.id)
    lineage = query.around(record, TURNS_SHOWN, LATER_SHOWN) if record.lineage else ()
    paper = Console(file=io.StringIO(), width=PAGE_WIDTH, color_system=None, highlight=False)
    with paper.capture() as printed:
        paper.print(explain(record, previous, lineage, recorded=recorded))
    return Explanation(record, previous, recorded, printed.get())


def segments_of(query: Query, asked: Which) -> Segments:
    """/api/requests/{id}/segments"""
    record = _record(query, asked.id)
    previous = query.get(record.parent) if record.parent else None
    return segments(record, *_texts(query, record), previous)


def diff_of(query: Query, asked: Which) -> Diff:
    """/api/requests/{id}/diff"""
    record = _record(query, asked.id)
    return diff(record, *_texts(query, record))


def series(query: Query, asked: Steps) -> Series:
    """/api/series"""
    if (asked.until - asked.since) / asked.step > BUCKETS:
        raise Refused(400, f"that would be more than {BUCKETS:,} steps", "ask for a longer step or a shorter span")
    return Series(query.series(asked.since, asked.until, asked.step))


def costs(query: Query, asked: Spent) -> Cost:
    """/api/costs"""
    return cost_of(query.totals(asked.since, None, asked.session).by_model)


def missed(query: Query, last: str) -> list[Record]:
    """The requests that were written after the one with the id `last`; none when that is not there."""
    place = query.place(last)
    return [] if place is None else list(query.follow(place, MISSED).records)


def _record(query: Query, which: str) -> Record:
    try:
        record = query.last() if which == "last" else query.by_id(which)
    except LedgerError as error:
        raise Refused(404, str(error).partition(": `keepwarm")[0], "GET /api/requests lists them") from error
    if record is None:
        raise Refused(404, "there are no requests yet", "let an agent talk to the gateway")
    return record


def _texts(query: Query, record: Record) -> tuple[Recording | None, Recording | None]:
    mine = query.texts(record.id)
    return mine, query.texts(record.parent) if mine is not None and record.parent else None
