"""Writing the ledger: off the hot path, in one thread, never in the way of a request.

`Ledger.put` only appends to a bounded queue. A thread of its own takes from it in batches and writes each batch in
one transaction (SQLite in WAL mode, so that `keepwarm log` reads meanwhile). What cannot be kept - the queue is full,
the disk is - is counted with its reason, in memory and, as soon as something can be written again, in the file.
Once a Ledger is open nothing in here raises: a gateway without a working ledger is still a gateway.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import NamedTuple

from keepwarm.core.secret import Parcel
from keepwarm.errors import LedgerError
from keepwarm.ledger import migrations, tenants
from keepwarm.ledger.archive import Archive, Archivist, Limits
from keepwarm.ledger.recordings import Recorder
from keepwarm.ledger.records import Record, Recording, Verdict
from keepwarm.ledger.retention import Retention
from keepwarm.ledger.rows import COLUMNS, VERDICT_COLUMNS, row_of, verdict_row
from keepwarm.ledger.seal import Seal, load_seal
from keepwarm.ledger.tenants import Tenant

BATCH_ROWS = 200
BATCH_SECONDS = 0.1
"""A batch is written when it has this many rows, or this long after its first one came."""
RECORDING_BYTES = 256 * 2**20
"""Bodies of recorded requests that may wait in the queue; a recording beyond that is left out, its record is not."""
BUSY_SECONDS = 10.0
"""How long a batch waits for another process that is writing to the file."""
PRUNE_SECONDS = 3600.0
_TRIES = 400
"""How often the switch to WAL is tried within BUSY_SECONDS."""

_INSERT = f"INSERT INTO requests ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
_AMEND = f"UPDATE requests SET {', '.join(f'{name} = ?' for name in VERDICT_COLUMNS)} WHERE id = ?"
_INSERT_DROP = "INSERT INTO drops (at, count, reason) VALUES (?, ?, ?)"

# What a single row can be refused for; the rest of its batch is written all the same.
_BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    TypeError,
    ValueError,
    OverflowError,
)


class _Entry(NamedTuple):
    """A record to be written, with its texts and with what stands since, or without."""

    record: Record
    recording: Recording | None
    parcel: Parcel | None

    @property
    def bulk(self) -> int:
        """About how many bytes a recording holds in memory."""
        return self.record.received_bytes + self.record.sent_bytes if self.recording is not None else 0


class _Amendment(NamedTuple):
    """A verdict that takes the place of the one that stands."""

    record_id: str
    verdict: Verdict

    @property
    def bulk(self) -> int:
        return 0


class _Damage(NamedTuple):
    """A conversation to let go."""

    number: int

    @property
    def bulk(self) -> int:
        return 0


class Ledger:
    """The open ledger file, for one gateway process; readers use `query.Query`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        capacity: int = 10_000,
        *,
        server: str = "",
        limits: Limits | None = None,
        records_days: float | None = None,
    ) -> None:
        """Opens or makes the file (mode 0600, a new folder 0700) and brings its tables up to date.

        capacity  records that may wait to be written
        server    address of the model server that the records are about
        limits    how much of what stands is kept; None keeps none of it
        records_days  for which requests are kept after their conversation was used last; None keeps them for ever

        Raises LedgerError, its text saying which file and what to do, when the file cannot be made or written, is no
        ledger, or is newer than this keepwarm.
        """
        self.path = Path(path)
        self.archive: Archive | None = None
        """What stands of conversations that are not in memory; None where that is not kept."""
        self._archivist: Archivist | None = None
        self._connection = _open(self.path)
        if limits is not None:
            seal = _seal(self.path, self._connection)
            self._archivist = Archivist(self._connection, seal, limits)
            self.archive = Archive(self.path, seal)
        self._server = server
        self.tenants: tuple[Tenant, ...] = tenants.read(self._connection, server)
        """Which conversations were in the server's slots when the file was opened."""
        self._recorder = Recorder(self._connection)
        self._retention: Retention | None = None
        if records_days is not None:
            self._retention = Retention(self._connection, self._recorder, records_days)
        self._capacity = capacity
        self._lock = threading.Condition()
        self._pending: deque[_Entry | _Amendment | _Damage] = deque()
        self._waiting_bytes = 0
        self._accepted = self._settled = self._hurried_to = 0
        self._closing = self._ended = False
        self._dropped = 0
        self._untold: Counter[str] = Counter()
        self._pruned = 0.0
        self._last_error = ""
        self._thread = threading.Thread(target=self._run, name="keepwarm-ledger", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records (and recordings) that this process could not keep."""
        return self._dropped

    @property
    def last_error(self) -> str:
        """Why the latest of them was not kept; "" when all were."""
        return self._last_error

    def put(self, record: Record, recording: Recording | None = None, parcel: Parcel | None = None) -> bool:
        """Queues a record; `recording` has its texts when they are to be kept, `parcel` what stands of its conversation
        and is new. False when it was dropped.

        Never waits for the disk and raises nothing, from any thread. A digest in a recording must stand for exactly its
        bytes (`digest.wire`): a text is stored once per digest.
        """
        with self._lock:
            too_many = recording is not None and self._waiting_bytes > RECORDING_BYTES
            queued = self._queue(_Entry(record, None if too_many else recording, parcel))
            if queued and too_many:
                self._drop("the texts of a request were left out: too many wait to be written")
            return queued

    def amend(self, record_id: str, verdict: Verdict) -> bool:
        """Queues a better verdict for a request that was put before; False when it was dropped.

        As quick as `put`. A reader sees the one or the other; an id that is not there is nothing to amend.
        """
        with self._lock:
            return self._queue(_Amendment(record_id, verdict))

    def forget(self, conversation: int, reason: str) -> None:
        """Lets a conversation go that cannot be read, and counts it as a drop."""
        with self._lock:
            self._drop(f"what stood of a conversation cannot be read: {reason}")
            self._queue(_Damage(conversation))

    def flush(self, timeout: float = 10.0) -> bool:
        """Waits (seconds) until all that was put before is written or counted as dropped; False when it took longer."""
        with self._lock:
            target = self._hurried_to = self._accepted
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._settled >= target or self._ended, timeout)
            return self._settled >= target

    def close(self, timeout: float = 10.0) -> bool:
        """Writes what waits and closes the file; False when that took longer than `timeout` seconds."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        self._thread.join(timeout)
        if self.archive is not None:
            self.archive.close()
        return not self._thread.is_alive()

    def _queue(self, entry: _Entry | _Amendment | _Damage) -> bool:
        """Whether there is room for one more; the lock is held."""
        if self._closing or self._ended:
            self._drop("the ledger is closed")
            return False
        if len(self._pending) >= self._capacity:
            self._drop(f"the queue is full ({self._capacity} records wait to be written)")
            return False
        self._waiting_bytes += entry.bulk
        self._pending.append(entry)
        self._accepted += 1
        if len(self._pending) in (1, BATCH_ROWS):
            self._lock.notify_all()
        return True

    # The writer's thread

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._write(batch)
            if self._untold:
                self._write([])
        finally:
            with self._lock:
                self._ended = True
                self._lock.notify_all()
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()

    def _next_batch(self) -> list[_Entry | _Amendment | _Damage]:
        """The next rows to write, waited for; none when the ledger closes and all is written."""
        with self._lock:
            self._lock.wait_for(lambda: self._pending or self._closing)
            self._lock.wait_for(
                lambda: len(self._pending) >= BATCH_ROWS or self._closing or self._settled < self._hurried_to,
                BATCH_SECONDS,
            )
            batch = [self._pending.popleft() for _ in range(min(BATCH_ROWS, len(self._pending)))]
            self._waiting_bytes -= sum(entry.bulk for entry in batch)
            return batch

    def _write(self, batch: list[_Entry | _Amendment | _Damage]) -> None:
        with self._lock:
            told = Counter(self._untold)
        refused: list[str] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for entry in batch:
                self._insert(entry, refused)
            self._keep_in_bounds()
            for reason, count in told.items():
                self._connection.execute(_INSERT_DROP, (time.time(), count, reason))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back()
            refused = [f"{self.path}: {error}"] * len(batch)
            told.clear()
        with self._lock:
            self._untold -= told
            for reason in refused:
                self._drop(reason)
            self._settled += len(batch)
            self._lock.notify_all()

    def _insert(self, entry: _Entry | _Amendment | _Damage, refused: list[str]) -> None:
        if isinstance(entry, _Damage):
            if self._archivist is not None:
                self._archivist.forget(entry.number)
            return
        if isinstance(entry, _Amendment):
            try:
                self._connection.execute(_AMEND, (*verdict_row(entry.verdict), entry.record_id))
            except _BAD_ROW as error:
                refused.append(f"the verdict on request {entry.record_id} cannot be amended: {error}")
            return
        record = entry.record
        try:
            seq = self._connection.execute(_INSERT, row_of(record)).lastrowid or 0
            tenants.write(self._connection, self._server, record)
            if entry.recording is not None:
                self._recorder.write(seq, record.lineage, entry.recording)
        except _BAD_ROW as error:
            self._recorder.forget()
            refused.append(f"request {record.id} cannot be written: {error}")
        if self._archivist is None or entry.parcel is None:
            return
        try:
            self._archivist.write(entry.parcel, record.at)
        except _BAD_ROW as error:
            refused.append(f"what stands of the conversation of request {record.id} cannot be written: {error}")

    def _keep_in_bounds(self) -> None:
        """Within a batch: what is too old or too much goes, a little at a time."""
        now = time.time()
        if self._archivist is not None:
            self._archivist.sweep(now)
        if self._retention is not None:
            self._retention.sweep(now)
        if now - self._pruned > PRUNE_SECONDS:
            self._pruned = now
            tenants.prune(self._connection)

    def _take_back(self) -> None:
        """Undoes a batch that failed: SQLite may have done so already, and on a broken disk even this may fail."""
        self._recorder.forget()
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if self._archivist is not None:
                self._archivist.recount()

    def _drop(self, reason: str) -> None:
        """Counts one drop; the lock is held."""
        self._dropped += 1
        self._untold[reason] += 1
        self._last_error = reason


def _seal(path: Path, connection: sqlite3.Connection) -> Seal:
    try:
        return load_seal(path)
    except LedgerError:
        connection.close()
        raise


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made before SQLite sees it: nobody else can open it even for a moment, and -wal and -shm take its mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise LedgerError(
            f"the ledger {path} cannot be written ({error.strerror}): name another file with --ledger"
        ) from error
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        # The version comes first: nothing may be changed in a file that is not ours.
        found = migrations.version(connection)
        migrations.refuse_newer(found, len(migrations.STEPS))
        _write_ahead(connection)
        # With WAL a process that dies loses nothing it committed; only a power cut may lose the newest batches.
        connection.execute("PRAGMA synchronous = NORMAL")
        if found < len(migrations.STEPS):
            migrations.migrate(connection)
    except LedgerError as error:
        connection.close()
        raise LedgerError(f"the ledger {path} cannot be used: {error}") from error
    except sqlite3.Error as error:
        connection.close()
        advice = (
            "another program holds it: end that one" if _is_busy(error) else "move the file away to begin a new one"
        )
        raise LedgerError(
            f"the ledger {path} cannot be used ({error}): {advice}, or name another with --ledger"
        ) from error
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets WAL mode, which a file keeps: readers and the writer do not wait for each other."""
    for _ in range(_TRIES - 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        # Of all statements this one does not heed the connection's timeout, and there is no event to wait for.
        time.sleep(BUSY_SECONDS / _TRIES)
    connection.execute("PRAGMA journal_mode = WAL")


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)  # absent when Python itself raised it
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
