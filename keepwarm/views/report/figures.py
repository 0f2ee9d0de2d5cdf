"""All that a report says, read from the ledger. Every figure is one of `Query.totals`, of a span or of a session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.ledger.sessions import SessionSums
from keepwarm.ledger.sums import Bucket, Totals
from keepwarm.rules.api import Rule
from keepwarm.views.cost import Cost, cost_of
from keepwarm.views.report.advice import Advice, advice
from keepwarm.views.report.comparing import Comparison, Side, compare, samples
from keepwarm.views.report.source import Source

STEPS: Final = (60.0, 300.0, 900.0, 3_600.0, 7_200.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0)
"""Seconds of a step of the chart; whole hours are read quickly."""
BARS: Final = 60
"""Steps of the chart at the most."""
_SAMPLES: Final = 24
"""Steps of a side of the comparison, about."""
SESSIONS: Final = 20
WORST: Final = 10
_PAGE: Final = 500


class Asked(msgspec.Struct, frozen=True):
    """What the report is about."""

    since: float
    until: float
    session: str = ""
    """The beginning of a session's name; "" for all."""
    change: float | None = None
    """The moment between before and after; None for the middle."""
    words: bool = False
    """Whether prompt texts may stand in it, where they were recorded."""


class Cause(msgspec.Struct, frozen=True):
    """What one cause did."""

    code: str
    lost_tokens: int
    misses: int
    """Requests of which something was lost by it."""
    advice: Advice


class SessionFigures(msgspec.Struct, frozen=True):
    """A session in the period."""

    session: SessionSums
    totals: Totals


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    made_at: float
    asked: Asked
    session: str
    """The whole name of the only session; "" for all."""
    totals: Totals
    cost: Cost
    step: float
    """Seconds of a step of `buckets`."""
    buckets: tuple[Bucket, ...] = ()
    causes: tuple[Cause, ...] = ()
    sessions: tuple[SessionFigures, ...] = ()
    """Those that lost most, at the most SESSIONS."""
    session_count: int = 0
    worst: tuple[Record, ...] = ()
    comparison: Comparison | None = None
    newest: float | None = None
    """When the newest request of the whole ledger came, to say it of an empty period."""
    source: Source | None = None
    """The log that the ledger was made of; None for the ledger of a gateway."""


def read(
    query: Query,
    asked: Asked,
    now: float,
    rules: Mapping[str, Rule],
    applied: frozenset[str],
    source: Source | None = None,
) -> Report:
    """The report. Raises LedgerError when the ledger cannot be read or the session is not there.

    rules    the rule book
    applied  the rules that are switched on here
    source   the log that the ledger was made of
    """
    name = _name(query, asked.session) if asked.session else ""
    totals = query.totals(asked.since, asked.until, name or None)
    newest = query.last()
    step = _step(asked.until - max(asked.since, _first_at(query, asked, name)), BARS)
    empty = Report(now, asked, name, totals, cost_of(totals.by_model), step, newest=newest.at if newest else None)
    empty = msgspec.structs.replace(empty, source=source)
    if not totals.requests:
        return empty
    misses = dict(totals.misses_by_cause)
    found, count = _sessions(query, asked, name)
    return msgspec.structs.replace(
        empty,
        buckets=_buckets(query, asked, name, step),
        causes=tuple(
            Cause(code, lost, misses.get(code, 0), advice(code, rules, applied, logged=source is not None))
            for code, lost in totals.lost_by_cause
        ),
        sessions=found,
        session_count=count,
        worst=query.worst(asked.since, asked.until, WORST, name or None),
        comparison=_comparison(query, asked, name),
    )


def _name(query: Query, said: str) -> str:
    """The whole name of a session, or of the conversation of a client that names none."""
    if query.session_sums(said) is not None:
        return said
    try:
        return query.session(said)
    except LedgerError:
        known = [one.name for one in query.sessions(limit=_PAGE).sessions if one.name.startswith(said)]
        if len(known) != 1:
            raise
        return known[0]


def _first_at(query: Query, asked: Asked, name: str) -> float:
    """The minute in which the first request of the period came."""
    if name and (one := query.session_sums(name)) is not None:
        return max(asked.since, one.first_at)
    for hour in query.series(asked.since, asked.until, STEPS[3])[:1]:
        for minute in query.series(max(hour.at, asked.since), min(hour.at + STEPS[3], asked.until), STEPS[0]):
            return max(asked.since, minute.at)
    return asked.since


def _step(span: float, most: int) -> float:
    return next((step for step in STEPS if span / step <= most), STEPS[-1])


def _buckets(query: Query, asked: Asked, name: str, step: float) -> tuple[Bucket, ...]:
    if not name:
        return query.series(asked.since, asked.until, step)
    places = {bucket.at for bucket in query.series(asked.since, asked.until, step)}
    rows = ((at, query.totals(max(at, asked.since), min(at + step, asked.until), name)) for at in sorted(places))
    return tuple(Bucket(at, sums) for at, sums in rows if sums.requests)


def _sessions(query: Query, asked: Asked, name: str) -> tuple[tuple[SessionFigures, ...], int]:
    """The sessions of the period that lost most in it, and how many there are."""
    listed = [one for one in _listed(query, asked, name) if _acted(query, asked, one)]
    listed.sort(key=lambda one: (-one.sums.lost_tokens, -one.sums.requests, one.name))
    found: list[SessionFigures] = []
    for one in listed:
        # In the period none lost more than in all: behind this one there is nothing for the list.
        if len(found) >= SESSIONS and one.sums.lost_tokens < found[SESSIONS - 1].totals.lost_tokens:
            break
        if len(found) >= SESSIONS and not one.sums.lost_tokens:
            break
        found.append(SessionFigures(one, query.totals(asked.since, asked.until, one.name)))
        found.sort(key=lambda each: (-each.totals.lost_tokens, -each.totals.requests, each.session.name))
    return tuple(found[:SESSIONS]), len(listed)


def _listed(query: Query, asked: Asked, name: str) -> Iterator[SessionSums]:
    """The session that is asked for, or every one that may have requests in the period."""
    if name:
        one = query.session_sums(name)
        if one is not None:
            yield one
        return
    before: int | None = None
    while True:
        page = query.sessions(limit=_PAGE, before=before, since=asked.since)
        yield from (one for one in page.sessions if one.first_at < asked.until)
        if (before := page.older) is None:
            return


def _acted(query: Query, asked: Asked, one: SessionSums) -> bool:
    """Whether a session has requests in the period: its first or its last one tells, nearly always."""
    if asked.since <= one.first_at < asked.until or asked.since <= one.last_at < asked.until:
        return True
    return query.totals(asked.since, asked.until, one.name).requests > 0


def _comparison(query: Query, asked: Asked, name: str) -> Comparison | None:
    """The two sides of the moment that was given, or of the middle of what happened."""
    begin = _first_at(query, asked, name)
    last = query.last()
    end = min(asked.until, last.at + 1.0) if last is not None else asked.until
    middle = asked.change if asked.change is not None else (begin + end) / 2
    if not asked.since < middle < asked.until:
        return None
    step = _step(max(end - begin, 1.0), 2 * _SAMPLES)
    fine = _buckets(query, asked, name, step)
    sides = []
    for since, until in ((asked.since, middle), (middle, asked.until)):
        totals = query.totals(since, until, name or None)
        models = frozenset((one.model, one.upstream) for one in totals.by_model)
        sides.append(Side(since, until, totals, models, samples(fine, step, since, until)))
    return compare(sides[0], sides[1], chosen=asked.change is not None)
