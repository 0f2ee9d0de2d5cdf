"""Sums that the file keeps by itself, so that no view reads every request."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keepwarm.ledger import migrations, tallies
from keepwarm.ledger.query import Query
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record

HOURS = 5


def fill(path: Path, first: int, last: int) -> None:
    """Requests of a few sessions and hours."""
    ledger = Ledger(path)
    for number in range(first, last):
        session, at = f"s{number % 3}", 3600.0 * (number % HOURS) + number % 3599
        ledger.put(a_record(id=f"r{number}", session=session, lineage=f"l{number % 6}", at=at))
    assert ledger.close()
    assert ledger.dropped == 0, ledger.last_error


@pytest.mark.parametrize(
    "ask",
    [
        lambda query: query.totals(),
        lambda query: query.totals(session="s1"),
        lambda query: query.sessions(),
        lambda query: query.conversations("s1"),
        lambda query: query.series(0, None, 3600),
        lambda query: query.page(limit=5),
    ],
    ids=["totals", "totals of a session", "sessions", "conversations", "series", "page"],
)
def test_the_questions_of_the_views_do_not_read_every_request(tmp_path: Path, ask: Callable[[Query], object]) -> None:
    """In SQLite's own steps, which do not depend on the machine: 2,000 more requests cost next to nothing."""
    path = tmp_path / "ledger.sqlite"

    def steps() -> int:
        taken = 0

        def step() -> int:
            nonlocal taken
            taken += 1
            return 0

        with Query(path) as query:
            query._connection.set_progress_handler(step, 10)
            ask(query)
        return taken

    fill(path, 0, 1000)
    few = steps()
    fill(path, 1000, 3000)
    assert steps() < few + 30


def test_what_is_deleted_leaves_no_row_behind(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    fill(path, 0, 30)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("SELECT count(*) FROM hours").fetchone()[0] > 0
        connection.execute("DELETE FROM requests")
        for name in ("hours", "lineages"):
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_sums_that_were_not_kept_yet_are_those_of_the_requests_in_the_file(tmp_path: Path) -> None:
    """A ledger of the version before, with requests in it, gets the sums that it would have had."""
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    chance = random.Random(7)
    for number in range(60):
        session, lineage = chance.choice([("", "l1"), ("s1", "l2"), ("s1", "l3")])
        ledger.put(a_record(id=f"r{number}", at=number * 400.0, session=session, lineage=lineage))
    assert ledger.close()

    def rows(connection: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
        return [connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in ("hours", "lineages")]

    with sqlite3.connect(path, isolation_level=None) as connection:
        kept = rows(connection)
        for name in ("hours", "lineages"):
            connection.execute(f"DROP TABLE {name}")
        for name in ("request_written", "request_amended", "request_deleted"):
            connection.execute(f"DROP TRIGGER {name}")
        for name in ("requests_by_cause", "requests_by_outcome"):
            connection.execute(f"DROP INDEX {name}")
        number = migrations.STEPS.index(tallies.STEP)
        connection.execute(f"PRAGMA user_version = {number}")
        migrations.migrate(connection, migrations.STEPS[: number + 1])
        assert rows(connection) == kept
        assert all(kept)
    connection.close()
