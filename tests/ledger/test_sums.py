"""The figures that every view shows: from the sums that the file keeps as from its requests one by one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.store import Ledger
from keepwarm.ledger.sums import Sums, microseconds, of_record
from tests.ledger.samples import a_record

COUNTS = st.none() | st.integers(0, 200_000)
# Among them those that end in half a microsecond, which may be rounded in two ways.
TIMES = st.none() | st.floats(0, 1e6) | st.integers(0, 10**6).map(lambda n: n / 16)
VERDICTS = st.none() | st.builds(
    Verdict,
    outcome=st.sampled_from(["hit", "partial", "miss", "first", "unknown"]),
    blame=st.just("client"),
    grade=st.just("counted"),
    lost=st.integers(0, 50_000),
    causes=st.lists(st.sampled_from(["VOL001", "HIS005", "SRV001"]), max_size=2).map(tuple),
    lost_ms=TIMES,
)
SOME = st.builds(
    lambda **changes: a_record(**changes),
    # Three hours, and their edges.
    at=st.sampled_from([0.0, 3599.9, 3600.0, 7200.0]) | st.floats(0, 3 * 3600),
    session=st.sampled_from(["", "s1", "s2"]),
    lineage=st.sampled_from(["l1", "l2", "l3"]),
    model=st.sampled_from(["tiny", "large"]),
    upstream=st.sampled_from(["llamacpp", "chat"]),
    ending=st.sampled_from(["done", "failed", "hung_up"]),
    usage=st.builds(Usage, COUNTS, COUNTS, COUNTS, TIMES, TIMES, COUNTS),
    verdict=VERDICTS,
)


def added(records: Sequence[Record]) -> Sums:
    """The sums, one request after another."""
    figures: Counter[str] = Counter()
    for record in records:
        for name, value in msgspec.structs.asdict(of_record(record)).items():
            if name != "hit_rate":
                figures[name] += microseconds(value) if name.endswith("_ms") else value
    return msgspec.convert(
        {name: value / 1000 if name.endswith("_ms") else value for name, value in figures.items()}, Sums
    )


def who(record: Record) -> str:
    return record.session or record.lineage


@given(
    records=st.lists(SOME, max_size=12).map(
        lambda some: [msgspec.structs.replace(r, id=f"r{n}") for n, r in enumerate(some)]
    ),
    amendments=st.lists(st.tuples(st.integers(0, 11), VERDICTS.filter(bool)), max_size=4),
    gone=st.sets(st.integers(0, 11), max_size=3),
    since=st.sampled_from([0.0, 1.0, 3600.0, 5000.0]),
    until=st.none() | st.sampled_from([3600.0, 5000.5, 7200.0, 9e9]),
)
@settings(max_examples=60, deadline=None)
def test_every_sum_is_that_of_its_requests(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Record],
    amendments: list[tuple[int, Verdict]],
    gone: set[int],
    since: float,
    until: float | None,
) -> None:
    path = tmp_path_factory.mktemp("sums") / "ledger.sqlite"
    ledger = Ledger(path)
    held = {record.id: record for record in records}
    for record in records:
        ledger.put(record)
    for number, verdict in amendments:
        if f"r{number}" in held:
            ledger.amend(f"r{number}", verdict)
            held[f"r{number}"] = msgspec.structs.replace(held[f"r{number}"], verdict=verdict)
    assert ledger.close()
    assert ledger.dropped == 0, ledger.last_error
    with sqlite3.connect(path) as connection:
        for number in gone:
            connection.execute("DELETE FROM requests WHERE id = ?", (f"r{number}",))
            held.pop(f"r{number}", None)
    connection.close()
    within = [one for one in held.values() if since <= one.at < (until if until is not None else float("inf"))]
    with Query(path) as query:
        totals = query.totals(since, until)
        assert msgspec.convert(msgspec.to_builtins(totals), Sums) == added(within)
        assert dict(totals.lost_by_cause) == by_cause(within, "lost_tokens")
        assert dict(totals.misses_by_cause) == by_cause(within, "misses")
        for of_one in totals.by_model:
            names = (of_one.model, of_one.upstream)
            assert of_one.sums == added([r for r in within if (r.model, r.upstream) == names])
        for name in {who(record) for record in records}:
            mine = [record for record in within if who(record) == name]
            assert msgspec.convert(msgspec.to_builtins(query.totals(since, until, name)), Sums) == added(mine)
        for step in (600.0, 3600.0, 7200.0):
            steps = query.series(since, until, step)
            for bucket in steps:
                assert bucket.sums == added([r for r in within if bucket.at <= r.at < bucket.at + step])
            assert sum(bucket.sums.requests for bucket in steps) == len(within)
        listed = query.sessions().sessions
        assert {one.name: one.sums for one in listed} == {
            name: added([r for r in held.values() if who(r) == name]) for name in {who(r) for r in held.values()}
        }
        for one in listed:
            parts = query.conversations(one.name)
            assert len(parts) == one.conversations
            for part in parts:
                assert part.sums == added([r for r in held.values() if (who(r), r.lineage) == (one.name, part.lineage)])


def by_cause(records: Sequence[Record], figure: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for record in records:
        causes = record.verdict.causes if record.verdict else ()
        found[causes[0] if causes else ""] += getattr(of_record(record), figure)
    return {cause: number for cause, number in found.items() if number}


def test_the_hit_rate_is_of_what_was_reported_and_is_made_from_the_other_figures() -> None:
    assert Sums().hit_rate is None
    assert Sums(prompt_tokens=1000, cached_tokens=300, processed_tokens=100, hit_rate=0.1).hit_rate == 0.75
