"""Old conversations go, whole and a few rows at a time, and nothing else does."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from keepwarm.ledger import migrations, retention
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record, a_recording

DAYS = 90.0
NOW = time.time()
LONG_AGO = NOW - 91 * 86_400
LATELY = NOW - 89 * 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def write(path: Path, *records: Record, texts: bool = False, days: float | None = None) -> None:
    ledger = Ledger(path, records_days=days)
    for record in records:
        ledger.put(record, a_recording(record.id, "head", *record.agent.split(" ")) if texts else None)
    assert ledger.close()
    assert ledger.dropped == 0, ledger.last_error


def ids(path: Path) -> list[str]:
    with Query(path) as query:
        return [record.id for record in reversed(query.page(limit=10_000).records)]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_conversation_that_was_used_long_ago_goes_with_all_its_requests(path: Path) -> None:
    write(path, a_record(id="a1", lineage="a", at=LONG_AGO), a_record(id="a2", lineage="a", at=LONG_AGO + 5))
    write(path, a_record(id="new", lineage="n", at=NOW), days=DAYS)
    assert ids(path) == ["new"]
    with Query(path) as query:
        assert query.totals().requests == 1
        assert [one.sums.requests for one in query.sessions().sessions] == [1]


def test_a_conversation_that_was_used_lately_stays_with_its_oldest_request(path: Path) -> None:
    write(path, a_record(id="a1", lineage="a", at=LONG_AGO), a_record(id="a2", lineage="a", at=LATELY))
    write(path, a_record(id="new", lineage="n", at=NOW), days=DAYS)
    assert ids(path) == ["a1", "a2", "new"]


def test_without_a_setting_everything_stays(path: Path) -> None:
    write(path, a_record(id="a1", at=1.0))
    write(path, a_record(id="new", lineage="n", at=NOW))
    assert ids(path) == ["a1", "new"]


def test_requests_that_belong_to_no_conversation_go_one_by_one(path: Path) -> None:
    write(
        path,
        a_record(id="s1", session="", lineage="", at=LONG_AGO),
        a_record(id="s2", session="", lineage="", at=LATELY),
    )
    write(path, a_record(id="new", lineage="n", at=NOW), days=DAYS)
    assert ids(path) == ["s2", "new"]


def test_a_text_goes_with_the_last_request_that_has_it(path: Path) -> None:
    write(
        path,
        a_record(id="a1", lineage="a", at=LONG_AGO, agent="one two"),
        a_record(id="a2", lineage="a", at=LONG_AGO, agent="one two three"),
        a_record(id="b1", lineage="b", at=LATELY, agent="one four"),
        texts=True,
    )
    assert count(path, "segments") == 5
    write(path, a_record(id="new", lineage="n", at=NOW), days=DAYS)
    assert ids(path) == ["b1", "new"]
    assert count(path, "segments") == 3, "the head, one and four"
    with Query(path) as query:
        assert query.texts("b1") == a_recording("b1", "head", "one", "four")


def test_each_batch_deletes_a_few_and_what_is_left_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    old = [a_record(id=f"a{n}", lineage="a", at=LONG_AGO, agent=" ".join(map(str, range(n + 1)))) for n in range(8)]
    write(path, *old, texts=True)
    left = [5, 2, 0, 0]
    for number, remain in enumerate(left):
        write(path, a_record(id=f"new{number}", lineage="n", at=NOW), days=DAYS)
        kept = [name for name in ids(path) if name.startswith("a")]
        assert kept == [f"a{n}" for n in range(remain)]
        with Query(path) as query:
            for n in range(remain):
                assert query.texts(f"a{n}") == a_recording(f"a{n}", "head", *map(str, range(n + 1)))
    assert count(path, "segments") == 0
    assert count(path, "request_segments") == 0


def test_a_conversation_that_comes_back_builds_on_nothing_that_went(path: Path) -> None:
    ledger = Ledger(path, records_days=DAYS)
    ledger.put(a_record(id="a1", lineage="a", at=LONG_AGO), a_recording("a1", "head", "one"))
    assert ledger.flush()  # too old as it came: it goes with this very batch
    ledger.put(a_record(id="a2", lineage="a", at=NOW), a_recording("a2", "head", "one", "two"))
    assert ledger.close()
    assert ids(path) == ["a2"]
    with Query(path) as query:
        assert query.texts("a2") == a_recording("a2", "head", "one", "two")


@pytest.mark.parametrize("length", [1, 15, 16, 400])
def test_texts_of_an_older_file_are_counted(path: Path, length: int) -> None:
    """Lists of digests have heads of one and of three bytes."""
    words = [f"w{number}" for number in range(length)]
    write(path, a_record(id="a", lineage="a", agent=" ".join(words)), texts=True)
    write(path, a_record(id="b", lineage="b", agent=" ".join(words[:1])), texts=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        known = "SELECT digest, uses FROM segments ORDER BY digest"
        kept = connection.execute(known).fetchall()
        connection.execute("UPDATE segments SET uses = 0")
        connection.execute(migrations.STEPS[-1][1])
        assert connection.execute(known).fetchall() == kept
        assert {uses for _, uses in kept} == ({4} if length == 1 else {2, 4})
