"""A file of any released version becomes one of today, in one step or not at all; a newer or strange one is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from keepwarm.errors import LedgerError
from keepwarm.ledger import migrations
from keepwarm.ledger.query import Query
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record, a_recording

VERSION_1 = Path(__file__).parent / "version1.sql"


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A ledger with one request, as version 1 wrote it."""
    path = tmp_path / "old.sqlite"
    with connect(path) as connection:
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.close()
    return path


def test_a_version_1_file_keeps_its_requests_and_takes_new_ones(version_1: Path) -> None:
    ledger = Ledger(version_1)
    ledger.put(a_record(id="new", parent="5f0c2a9e61", turn=2), a_recording("new", "some words"))
    assert ledger.close()
    with Query(version_1) as query:
        assert query.get("5f0c2a9e61") == a_record()
        assert query.texts("5f0c2a9e61") is None
        assert query.texts("new") == a_recording("new", "some words")


def test_a_reader_says_what_brings_an_older_file_up_to_date(version_1: Path) -> None:
    with pytest.raises(LedgerError, match=r"older keepwarm: start `keepwarm serve`"):
        Query(version_1)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "new.sqlite")
    assert migrations.migrate(connection) == 0
    assert migrations.migrate(connection) == migrations.version(connection) == len(migrations.STEPS)


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    connection = connect(tmp_path / "new.sqlite")
    steps = (*migrations.STEPS, ("CREATE TABLE more (x)", "CREATE TABLE more (x)"))
    with pytest.raises(sqlite3.OperationalError):
        migrations.migrate(connection, steps)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert migrations.migrate(connection) == 0


def test_a_newer_file_is_refused_with_both_numbers_and_untouched(tmp_path: Path) -> None:
    path, known = tmp_path / "newer.sqlite", len(migrations.STEPS)
    with connect(path) as connection:
        migrations.migrate(connection)
        connection.execute(f"PRAGMA user_version = {known + 3}")
    connection.close()
    before = path.read_bytes()
    for opened in (Ledger, Query):
        with pytest.raises(LedgerError, match=rf"version {known + 3}, this one knows {known}.*upgrade keepwarm"):
            opened(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = path.read_bytes()
    for opened in (Ledger, Query):
        with pytest.raises(LedgerError, match="another program"):
            opened(path)
    assert path.read_bytes() == before
