"""Sums over requests: the one definition of every figure that a view shows.

Whole hours are read from sums that the file keeps (`tallies`), the beginning and the end of a span from its requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor
from typing import Any, Final, TypeAlias

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.ledger.tallies import HOUR, SUMS, WHO

Rows: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""Asks the ledger: (SQL, its values) -> rows."""
COLUMNS: Final = tuple(SUMS)
"""What a row of sums has, in the order of `sums_of`."""
_NAMES: Final = ", ".join(COLUMNS)
_DIRECT: Final = ", ".join(f"{said.format('')} AS {name}" for name, said in SUMS.items())
_SUMMED: Final = ", ".join(f"sum({name})" for name in COLUMNS)


_TIMES: Final = ("lost", "prompt", "output")


class Sums(msgspec.Struct, frozen=True):
    """Sums over requests. Tokens of requests whose server reported none are in no sum."""

    requests: int = 0
    failed: int = 0
    """Requests that did not end as they should, hang-ups not counted."""
    unreported: int = 0
    """Requests whose server did not say how many tokens it reused."""
    prompt_tokens: int = 0
    """Over all requests that reported it."""
    cached_tokens: int = 0
    """Of these, the ones that the server reused."""
    processed_tokens: int = 0
    """Tokens that were prefilled; those of requests that report no cached tokens are not among them."""
    output_tokens: int = 0
    written_tokens: int = 0
    """Tokens written to a cache that is paid for."""
    lost_tokens: int = 0
    """Tokens processed again that had been processed before."""
    misses: int = 0
    """Requests of which something was lost: the outcome is partial or miss."""
    lost_ms: float = 0.0
    """What the lost tokens took, where that is known."""
    prompt_ms: float = 0.0
    """Time that servers report for prefill."""
    output_ms: float = 0.0
    """Time that servers report for generation."""
    hit_rate: float | None = None
    """Share of the prompts that was reused, 0 to 1: cached / (cached + processed); None when nothing was reported.
    Made from the other fields, whatever is given."""

    def __post_init__(self) -> None:
        """Make `hit_rate`."""
        known = self.cached_tokens + self.processed_tokens
        msgspec.structs.force_setattr(self, "hit_rate", self.cached_tokens / known if known > 0 else None)


class ModelSums(msgspec.Struct, frozen=True):
    """The sums of one model on one kind of server."""

    model: str
    upstream: str
    """The kind of server."""
    sums: Sums


class Totals(Sums, frozen=True):
    """Sums over all requests of a span, and what they come to by cause and model."""

    lost_by_cause: tuple[tuple[str, int], ...] = ()
    """(rule code, lost tokens), most first; a request's loss stands under its first cause, "" when none is known."""
    misses_by_cause: tuple[tuple[str, int], ...] = ()
    """(rule code, requests of which something was lost), most first; by the first cause too."""
    by_model: tuple[ModelSums, ...] = ()
    """By the model that was asked for and the kind of server, most requests first."""
    dropped: int = 0
    """Records that could not be kept."""
    drop_reason: str = ""
    """Why, for the latest of them; "" when none was dropped."""


class Bucket(msgspec.Struct, frozen=True):
    """The requests of one step of time."""

    at: float
    """When the step begins, Unix seconds: a multiple of the step."""
    sums: Sums


def microseconds(ms: float) -> int:
    """Milliseconds, 0 or more, as whole microseconds: halves go up, as where the file reckons (SQLite's round)."""
    return floor(ms * 1000 + 0.5)


def of_record(record: Record) -> Sums:
    """The sums of one request."""
    usage, verdict = record.usage, record.verdict
    lost_ms = verdict.lost_ms if verdict is not None else None
    return Sums(
        requests=1,
        failed=int(record.ending == "failed"),
        unreported=int(usage.cached_tokens is None),
        prompt_tokens=usage.prompt_tokens or 0,
        cached_tokens=usage.cached_tokens or 0,
        processed_tokens=max(0, usage.processed_tokens or 0),
        output_tokens=usage.output_tokens or 0,
        written_tokens=usage.written_tokens or 0,
        lost_tokens=verdict.lost if verdict is not None else 0,
        misses=int(verdict is not None and verdict.outcome in ("partial", "miss")),
        **{
            f"{name}_ms": microseconds(ms or 0.0) / 1000
            for name, ms in zip(_TIMES, (lost_ms, usage.prompt_ms, usage.output_ms), strict=True)
        },
    )


def sums_of(row: Sequence[int]) -> Sums:
    """The sums of a row whose columns are COLUMNS."""
    held: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    for name in _TIMES:
        held[f"{name}_ms"] = held.pop(f"{name}_us") / 1000
    return Sums(**held)


def total(rows: Iterable[Sequence[int]]) -> list[int]:
    """Rows of sums as one row."""
    return [sum(column) for column in zip([0] * len(COLUMNS), *rows, strict=True)]


def totals(ask: Rows, since: float, until: float | None, session: str | None) -> Totals:
    """Sums over the requests that came in a span, of one session or of all.

    session  a session's name, or a conversation's where the client names no session
    """
    source, values = _source(since, until, session, hours=True)
    rows = ask(f"SELECT model, upstream, cause, {_SUMMED} FROM ({source}) GROUP BY 1, 2, 3", *values)
    lost, misses = (COLUMNS.index(name) + 3 for name in ("lost_tokens", "misses"))
    models: dict[tuple[str, str], list[Sequence[int]]] = {}
    for model, upstream, _, *row in rows:
        models.setdefault((model, upstream), []).append(row)
    by_model = [ModelSums(*names, sums_of(total(some))) for names, some in models.items()]
    bound, ends = _bounds("at", since, until)
    drops = ask(f"SELECT count, reason FROM drops WHERE {bound} ORDER BY rowid", *ends)
    return Totals(
        **msgspec.structs.asdict(sums_of(total(row[3:] for row in rows))),
        lost_by_cause=_by_cause((row[2], row[lost]) for row in rows),
        misses_by_cause=_by_cause((row[2], row[misses]) for row in rows),
        by_model=tuple(sorted(by_model, key=lambda one: (-one.sums.requests, one.model, one.upstream))),
        dropped=sum(count for count, _ in drops),
        drop_reason=drops[-1][1] if drops else "",
    )


def series(ask: Rows, since: float, until: float | None, step: float) -> tuple[Bucket, ...]:
    """The sums of each step of a span that has requests, oldest first."""
    source, values = _source(since, until, None, hours=step % HOUR == 0)
    rows = ask(f"SELECT CAST(at / ? AS INTEGER), {_SUMMED} FROM ({source}) GROUP BY 1 ORDER BY 1", step, *values)
    return tuple(Bucket(number * step, sums_of(row)) for number, *row in rows)


def _by_cause(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for cause, number in pairs:
        found[cause] = found.get(cause, 0) + number
    return tuple(sorted(((cause, n) for cause, n in found.items() if n), key=lambda one: (-one[1], one[0])))


def _source(since: float, until: float | None, session: str | None, *, hours: bool) -> tuple[str, list[object]]:
    """A SELECT of (at, model, upstream, cause, sums) whose rows together are the span, and its values."""
    low, high = ceil(since / HOUR), None if until is None else floor(until / HOUR)
    if not hours or (high is not None and high <= low):
        return _requests(since, until, session)
    parts = [_hours(low, high, session)]
    if since < low * HOUR:
        parts.append(_requests(since, low * HOUR, session))
    if high is not None and until is not None and high * HOUR < until:
        parts.append(_requests(high * HOUR, until, session))
    return " UNION ALL ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


def _hours(low: int, high: int | None, session: str | None) -> tuple[str, list[object]]:
    where, values = _bounds("hour", low, high)
    if session is not None:
        where, values = f"who = ? AND {where}", [session, *values]
    return f"SELECT hour * {HOUR}.0 AS at, model, upstream, cause, {_NAMES} FROM hours WHERE {where}", values


def _requests(since: float, until: float | None, session: str | None) -> tuple[str, list[object]]:
    where, values = _bounds("at", since, until)
    if session is not None:
        # The second condition says which it is, the first one finds it through an index.
        found = "(session = ? OR (session = '' AND lineage = ?))"
        where, values = f"{found} AND {where} AND {WHO.format('')} = ?", [session, session, *values, session]
    return f"SELECT at, model, upstream, coalesce(cause, '') AS cause, {_DIRECT} FROM requests WHERE {where}", values


def _bounds(column: str, low: float, high: float | None) -> tuple[str, list[object]]:
    return (f"{column} >= ?", [low]) if high is None else (f"{column} >= ? AND {column} < ?", [low, high])
