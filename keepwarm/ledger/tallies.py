"""Sums that the file keeps by itself: triggers add each request to them as it is written, amended or deleted.

So the questions of the views read a few rows where they would read each request: `hours` has a row for each hour,
session, model, server and first cause, `lineages` one for each conversation. Times are whole microseconds: integers sum
to the same figure in any order. This is a step of `migrations`: once released it is never edited.
"""

from __future__ import annotations

from typing import Final

_MICROSECONDS: Final = "CAST(round(coalesce({}%s, 0) * 1000) AS INTEGER)"
SUMS: Final = {
    "requests": "1",
    "failed": "({}ending = 'failed')",
    "unreported": "({}cached_tokens IS NULL)",
    "prompt_tokens": "coalesce({}prompt_tokens, 0)",
    "cached_tokens": "coalesce({}cached_tokens, 0)",
    "processed_tokens": "coalesce(max({0}prompt_tokens - {0}cached_tokens, 0), 0)",
    "output_tokens": "coalesce({}output_tokens, 0)",
    "written_tokens": "coalesce({}written_tokens, 0)",
    "lost_tokens": "coalesce({}lost, 0)",
    "misses": "coalesce({}outcome IN ('partial', 'miss'), 0)",
    "lost_us": _MICROSECONDS % "lost_ms",
    "prompt_us": _MICROSECONDS % "prompt_ms",
    "output_us": _MICROSECONDS % "output_ms",
}
"""The figures of one request by the columns of the table `requests`; `{}` stands for "", "NEW." or "OLD."."""
HOUR: Final = 3600
"""Seconds of a row of `hours`."""
WHO: Final = "CASE {0}session WHEN '' THEN {0}lineage ELSE {0}session END"
"""Whose a request is: its session, or its conversation where the client names none."""

_NAMES: Final = ", ".join(SUMS)
_COLUMNS: Final = ",\n    ".join(f"{name} INTEGER NOT NULL" for name in SUMS)
_GROWN: Final = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
_OWN: Final = ("kind", "agent", "client", "model", "upstream")
_LAST: Final = {"last_prompt_tokens": "{}prompt_tokens", "last_cause": "{}cause", "last_outcome": "{}outcome"}


def _figures(row: str) -> str:
    return ", ".join(said.format(row) for said in SUMS.values())


def _less(row: str) -> str:
    return ", ".join(f"{name} = {name} - {said.format(row)}" for name, said in SUMS.items())


def _more(row: str) -> str:
    return ", ".join(f"{name} = {name} + {said.format(row)}" for name, said in SUMS.items())


def _hour(row: str) -> str:
    return f"CAST({row}at / {HOUR} AS INTEGER), {WHO.format(row)}, {row}model, {row}upstream, coalesce({row}cause, '')"


def _same_hour(row: str) -> str:
    return f"(hour, who, model, upstream, cause) = ({_hour(row)})"


def _same_lineage(row: str) -> str:
    return f"session = {row}session AND lineage = {row}lineage"


_INTO_HOURS: Final = (
    f"INSERT INTO hours (hour, who, model, upstream, cause, {_NAMES}) VALUES ({_hour('NEW.')}, {_figures('NEW.')}) "
    f"ON CONFLICT (hour, who, model, upstream, cause) DO UPDATE SET {_GROWN}"
)
_OUT_OF_HOURS: Final = (
    f"UPDATE hours SET {_less('OLD.')} WHERE {_same_hour('OLD.')}; "
    f"DELETE FROM hours WHERE {_same_hour('OLD.')} AND requests <= 0"
)
_LINEAGE_NAMES: Final = (
    f"session, lineage, {', '.join(_OWN)}, {', '.join(_LAST)}, first_at, last_at, first_seq, last_seq, {_NAMES}"
)
_NEW_LINEAGE: Final = (
    f"NEW.session, NEW.lineage, {', '.join(f'NEW.{name}' for name in _OWN)}, "
    f"{', '.join(said.format('NEW.') for said in _LAST.values())}, "
    f"NEW.at, NEW.at, NEW.seq, NEW.seq, {_figures('NEW.')}"
)
_LATEST: Final = ", ".join(f"{name} = excluded.{name}" for name in (*_OWN, *_LAST))

_SUMMED: Final = ", ".join(f"sum({said.format('')}) AS {name}" for name, said in SUMS.items())
_COUNTED_HOURS: Final = (
    f"INSERT INTO hours (hour, who, model, upstream, cause, {_NAMES}) SELECT {_hour('')}, {_SUMMED} FROM requests "
    "GROUP BY 1, 2, 3, 4, 5"
)
_COUNTED_LINEAGES: Final = (
    f"INSERT INTO lineages ({_LINEAGE_NAMES}) SELECT latest.session, latest.lineage, "
    f"{', '.join(f'latest.{name}' for name in _OWN)}, {', '.join(said.format('latest.') for said in _LAST.values())}, "
    f"first_at, last_at, first_seq, last_seq, {', '.join(f'summed.{name}' for name in SUMS)} FROM (SELECT "
    f"min(at) AS first_at, max(at) AS last_at, min(seq) AS first_seq, max(seq) AS last_seq, {_SUMMED} "
    "FROM requests GROUP BY session, lineage) AS summed JOIN requests AS latest ON latest.seq = last_seq"
)
"""What is in the file already."""

STEP: Final = (
    f"""
    CREATE TABLE hours (
    hour INTEGER NOT NULL,  -- Unix seconds / {HOUR}
    who TEXT NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    cause TEXT NOT NULL,  -- "": none is known
    {_COLUMNS},
    PRIMARY KEY (hour, who, model, upstream, cause)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX hours_by_who ON hours (who, hour)",
    f"""
    CREATE TABLE lineages (
    session TEXT NOT NULL,
    lineage TEXT NOT NULL,
    kind TEXT NOT NULL,
    agent TEXT NOT NULL,
    client TEXT NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    last_prompt_tokens INTEGER,
    last_cause TEXT,
    last_outcome TEXT,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    {_COLUMNS},
    PRIMARY KEY (session, lineage)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX lineages_by_place ON lineages (last_seq)",
    "CREATE INDEX lineages_by_use ON lineages (last_at)",
    _COUNTED_HOURS,
    _COUNTED_LINEAGES,
    f"""
    CREATE TRIGGER request_written AFTER INSERT ON requests BEGIN
    {_INTO_HOURS};
    INSERT INTO lineages ({_LINEAGE_NAMES}) VALUES ({_NEW_LINEAGE})
    ON CONFLICT (session, lineage) DO UPDATE SET
    {_LATEST}, last_at = max(last_at, excluded.last_at), last_seq = excluded.last_seq, {_GROWN};
    END
    """,
    f"""
    CREATE TRIGGER request_amended AFTER UPDATE OF outcome, lost, lost_ms, cause ON requests BEGIN
    {_OUT_OF_HOURS};
    {_INTO_HOURS};
    UPDATE lineages SET {_less("OLD.")} WHERE {_same_lineage("OLD.")};
    UPDATE lineages SET {_more("NEW.")}
    WHERE {_same_lineage("NEW.")};
    UPDATE lineages SET last_cause = NEW.cause, last_outcome = NEW.outcome
    WHERE {_same_lineage("NEW.")} AND last_seq = NEW.seq;
    END
    """,
    f"""
    CREATE TRIGGER request_deleted AFTER DELETE ON requests BEGIN
    {_OUT_OF_HOURS};
    UPDATE lineages SET {_less("OLD.")} WHERE {_same_lineage("OLD.")};
    DELETE FROM lineages WHERE {_same_lineage("OLD.")} AND requests <= 0;
    END
    """,
    # Pages of one cause, and of one outcome: seq behind each gives the order.
    "CREATE INDEX requests_by_cause ON requests (cause)",
    "CREATE INDEX requests_by_outcome ON requests (outcome)",
)
"""Statements of the step."""
