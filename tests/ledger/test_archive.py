"""What stands, on disk: found by its secret, replaced row by row, bounded, and let go when it cannot be read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keepwarm.core.secret import Address, Parcel, Row
from keepwarm.ledger.archive import DAY, Archive, Limits
from keepwarm.ledger.query import Query
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record

HERE = Address(b"s" * 32, b"owner")
Open = Callable[..., Ledger]


@pytest.fixture
def open_ledger(tmp_path: Path) -> Iterator[Open]:
    opened: list[Ledger] = []

    def start(limits: Limits | None = None) -> Ledger:
        opened.append(Ledger(tmp_path / "ledger.sqlite", limits=limits or Limits()))
        return opened[-1]

    yield start
    for ledger in opened:
        ledger.close()


def put(ledger: Ledger, number: int, *rows: Row, at: float = 0.0, **more: object) -> None:
    address = more.pop("address", HERE)
    parcel = Parcel(address, f"lineage{number % 100}", rows, **more)  # type: ignore[arg-type]
    ledger.put(a_record(id=f"r{number}", at=at or time.time()), None, parcel)
    assert ledger.flush()


def read(ledger: Ledger, address: Address = HERE, **asked: bool) -> list[tuple[bytes, ...]]:
    archive = ledger.archive
    assert isinstance(archive, Archive)
    return [found.values for found in archive.fetch(address, **asked)[0]]


def test_a_row_takes_the_place_of_the_one_with_its_name_and_comes_last(open_ledger: Open) -> None:
    ledger = open_ledger()
    put(ledger, 100, Row(b"a", b"1"), Row(b"b", b"2"))
    put(ledger, 200, Row(b"a", b"3"), Row(b"c", b"4"), gone=(b"b",))
    assert read(ledger) == [(b"3", b"4")]
    assert read(ledger, Address(b"t" * 32, b"owner")) == []


def test_another_owners_is_found_only_when_that_will_do(open_ledger: Open) -> None:
    ledger, other = open_ledger(), Address(HERE.secret, b"other")
    put(ledger, 1, Row(b"a", b"1"))
    assert read(ledger, other) == []
    assert read(ledger, other, others=True) == [(b"1",)]


def test_a_conversation_is_found_by_another_secret_too(open_ledger: Open) -> None:
    ledger = open_ledger()
    put(ledger, 1, Row(b"a", b"1"), also=b"t" * 32)
    assert read(ledger, Address(b"t" * 32, b"owner")) == [(b"1",)]


def test_what_is_damaged_is_told_and_can_be_let_go(open_ledger: Open, tmp_path: Path) -> None:
    ledger = open_ledger()
    put(ledger, 1, Row(b"a", b"1"))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("UPDATE standing SET sealed = zeroblob(60)")
    connection.close()
    archive = ledger.archive
    assert archive is not None
    found, damaged = archive.fetch(HERE)
    assert found == []
    ((number, reason),) = damaged
    ledger.forget(number, reason)
    assert ledger.flush()
    assert archive.fetch(HERE) == ([], [])
    assert ledger.dropped == 1
    assert "cannot be read" in ledger.last_error
    with Query(tmp_path / "ledger.sqlite") as query:
        assert query.totals().dropped == 1


def test_the_oldest_conversations_go_when_there_is_too_much(open_ledger: Open) -> None:
    ledger = open_ledger(Limits(bytes=5_000))
    for number in range(20):
        put(ledger, number, Row(b"a", os.urandom(1000)), at=time.time() + number)
    kept = [values for number in range(20) for values in read(ledger)][:1]
    with sqlite3.connect(ledger.path) as connection:
        (size,) = connection.execute("SELECT sum(size) FROM conversations").fetchone()
        (oldest,) = connection.execute("SELECT min(used) FROM conversations").fetchone()
    connection.close()
    assert kept
    assert size <= 5_000
    assert oldest > time.time() + 10


def test_a_conversation_that_nobody_goes_on_with_goes(open_ledger: Open) -> None:
    put(open_ledger(), 1, Row(b"a", b"1"), at=time.time() - 31 * DAY)
    ledger = open_ledger()
    put(ledger, 2, Row(b"a", b"2"), address=Address(b"u" * 32, b"owner"))
    assert read(ledger) == []


def test_a_ledger_without_limits_keeps_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record(), None, Parcel(HERE, "lineage", (Row(b"a", b"1"),)))
    assert ledger.close()
    assert ledger.archive is None
    assert not (tmp_path / "ledger.sqlite.key").exists()
