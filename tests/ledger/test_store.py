"""Writing to a ledger on disk: what is put is there, what cannot be kept is counted, and nobody waits."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Recording, Verdict
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record, a_recording

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that holds the file's write lock until it commits: the writer stands still."""
    Ledger(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def process(which: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.store_processes", which, str(path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def count(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        number: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return number


def test_what_is_flushed_can_be_read_while_the_ledger_stays_open(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(450):
        assert ledger.put(a_record(id=f"r{number}"))
    assert ledger.flush()
    with Query(path) as query:
        assert query.last() == a_record(id="r449")
        assert query.totals().requests == 450
    assert ledger.close()
    assert (ledger.dropped, ledger.last_error) == (0, "")


def test_closing_writes_what_waits_and_may_be_repeated(path: Path) -> None:
    ledger = Ledger(path)
    ledger.put(a_record())
    assert ledger.close()
    assert ledger.close()
    assert not path.with_name(f"{path.name}-wal").exists()
    with Query(path) as query:
        assert query.last() == a_record()


def test_what_comes_after_closing_is_counted(path: Path) -> None:
    ledger = Ledger(path)
    ledger.close()
    assert not ledger.put(a_record())
    assert (ledger.dropped, ledger.last_error) == (1, "the ledger is closed")
    assert ledger.flush()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state" / "keepwarm" / "ledger.sqlite")
    ledger.put(a_record())
    ledger.flush()
    folder = ledger.path.parent
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes == dict.fromkeys(["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"], 0o600)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    ledger.close()


def test_a_folder_that_was_there_keeps_its_mode_and_an_open_file_is_shut(path: Path) -> None:
    path.parent.chmod(0o755)
    path.touch(mode=0o644)
    Ledger(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_refused_and_untouched(path: Path) -> None:
    path.write_text("notes of mine\n" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite cannot be used .*not a database.*move the file away"):
        Ledger(path)
    assert path.read_text() == "notes of mine\n" * 100


@pytest.mark.parametrize("place", ["file/ledger.sqlite", "file", "folder"])
def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("words")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LedgerError, match=r"cannot be (written|used).*--ledger"):
        Ledger(tmp_path / place)


def test_a_full_queue_drops_and_counts_and_the_file_tells(path: Path, locked: sqlite3.Connection) -> None:
    ledger = Ledger(path, capacity=250)
    kept = [ledger.put(a_record(id=f"r{number}")) for number in range(1000)]
    # The writer may have taken one batch before it met the lock.
    assert 250 <= sum(kept) <= 450
    assert ledger.dropped == 1000 - sum(kept)
    assert ledger.last_error == "the queue is full (250 records wait to be written)"
    assert not ledger.flush(timeout=0.05)
    locked.execute("COMMIT")
    assert ledger.flush()
    assert ledger.close()
    with Query(path) as query:
        totals = query.totals()
    assert (totals.requests, totals.dropped) == (sum(kept), ledger.dropped)
    assert totals.drop_reason == ledger.last_error


def test_two_records_of_one_id_are_one_record_and_one_drop(path: Path) -> None:
    ledger = Ledger(path)
    for record in (a_record(id="a"), a_record(id="a", turn=9), a_record(id="b"), a_record(id="c", turn=2**70)):
        assert ledger.put(record)
    assert ledger.close()
    assert ledger.dropped == 2
    assert "request c cannot be written" in ledger.last_error
    with Query(path) as query:
        assert [record.id for record in query.page().records] == ["b", "a"]
        assert query.get("a") == a_record(id="a")
        assert query.totals().dropped == 2


def test_a_verdict_that_is_amended_takes_the_place_of_the_first(path: Path) -> None:
    ledger = Ledger(path)
    first = Verdict("partial", "client", "estimated", expected=400, actual=420, lost=80, causes=("HIS005",))
    ledger.put(a_record(id="a", verdict=first))
    ledger.put(a_record(id="b", verdict=first))
    better = Verdict("partial", "server", "exact", expected=480, actual=420, lost=60, causes=("SRV001",), shared=480)
    assert ledger.amend("a", better)
    assert ledger.amend("gone", better)
    assert ledger.close()
    with Query(path) as query:
        assert query.get("a") == a_record(id="a", verdict=better)
        assert query.get("b") == a_record(id="b", verdict=first)
        assert query.totals().lost_by_cause == (("HIS005", 80), ("SRV001", 60))
    assert ledger.dropped == 0
    assert not ledger.amend("a", first)
    assert ledger.last_error == "the ledger is closed"


def test_an_amendment_that_the_file_refuses_costs_only_itself(path: Path) -> None:
    ledger = Ledger(path)
    ledger.put(a_record(id="a"))
    ledger.amend("a", Verdict("hit", "nobody", "exact", expected=1 << 70))
    ledger.put(a_record(id="b"))
    assert ledger.close()
    assert "the verdict on request a cannot be amended" in ledger.last_error
    with Query(path) as query:
        assert query.get("a") == a_record(id="a")
        assert query.get("b") == a_record(id="b")


def test_a_recording_that_cannot_be_written_costs_only_itself(path: Path) -> None:
    ledger = Ledger(path)
    ledger.put(a_record(id="a"), Recording("a", ((b"1" * 16, "no bytes"),), ()))  # type: ignore[arg-type]
    ledger.put(a_record(id="b", parent="a"), a_recording("b", "words"))
    assert ledger.close()
    assert ledger.dropped == 1
    with Query(path) as query:
        assert query.get("a") is not None
        assert query.texts("a") is None
        assert query.texts("b") == a_recording("b", "words")


def test_texts_that_pile_up_are_left_out_before_their_records_are(path: Path, locked: sqlite3.Connection) -> None:
    ledger = Ledger(path)
    for number in range(400):
        record = a_record(id=f"r{number}", received_bytes=2**20, sent_bytes=2**20)
        assert ledger.put(record, a_recording(record.id, "words"))
    left_out = ledger.dropped
    assert 70 < left_out < 272, "256 MiB wait, and a batch that the writer may have taken before it met the lock"
    assert "left out" in ledger.last_error
    locked.execute("COMMIT")
    ledger.flush()
    assert ledger.put(a_record(id="later"), a_recording("later", "words"))
    assert ledger.close()
    assert count(path, "requests") == 401
    assert count(path, "request_segments") == 2 * (401 - left_out)


def test_readers_see_whole_batches_while_the_writer_writes(path: Path) -> None:
    ledger = Ledger(path)
    ledger.put(a_record(id="r0"), a_recording("r0", "words 0"))
    ledger.flush()
    done, faults, seen = threading.Event(), [], [0]

    def read() -> None:
        with Query(path) as query:
            while not done.is_set() or seen[-1] < 2000:
                number = query.totals().requests
                newest = query.last()
                if newest is None or number < seen[-1] or query.texts(newest.id) is None:
                    faults.append((number, seen[-1], newest))
                    return
                seen.append(number)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 2000):
        record = a_record(id=f"r{number}", received_bytes=20, sent_bytes=20)
        ledger.put(record, a_recording(record.id, f"words {number % 50}"))
    assert ledger.close()
    done.set()
    reader.join(60)
    assert faults == []
    assert seen[-1] == 2000


def test_two_gateways_write_to_one_new_file(path: Path) -> None:
    ledgers: list[Ledger] = []
    start = threading.Barrier(4)

    def run(name: str) -> None:
        start.wait()
        ledger = Ledger(path)
        ledgers.append(ledger)
        for number in range(300):
            ledger.put(a_record(id=f"{name}{number}"))
        ledger.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [ledger.dropped for ledger in ledgers] == [0] * 4
    assert count(path, "requests") == 1200


def test_a_killed_writer_leaves_a_file_that_can_be_read_and_written(path: Path) -> None:
    with process("kill", path) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "600 written\n"
        writer.kill()
    assert writer.returncode == -9
    with Query(path) as query:
        newest = query.last()
        assert query.totals().requests >= 600
        assert newest is not None
        assert query.texts(newest.id) == a_recording(newest.id, f"words {newest.id[1:]}")
    ledger = Ledger(path)
    ledger.put(a_record(id="later"))
    assert ledger.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert count(path, "requests") == count(path, "request_segments") // 2 + 1


def test_a_full_disk_drops_and_counts_and_ends_when_there_is_room(path: Path) -> None:
    with process("disk", path) as writer:
        told, _ = writer.communicate(timeout=60)
    assert writer.returncode == 0
    dropped, _, reason = told.strip().partition(" ")
    assert int(dropped) == 50
    assert reason.startswith(str(path))
    with Query(path) as query:
        assert [record.id for record in query.page().records] == ["after", "before"]
        totals = query.totals()
        texts = query.texts("after")
    assert (totals.dropped, totals.drop_reason) == (50, reason)
    assert texts == a_recording("after", *(f"words {number}" for number in range(60))), (
        "nothing builds on what was lost"
    )
