"""The ledger's tables as numbered steps: step n brings a file from version n-1 to version n.

A step that has been released is never edited; a change is a new step. The version stands in SQLite's `user_version`,
and `application_id` tells a ledger from another program's database. All steps a file needs run in one transaction:
a file is at the old version or at the new one, never between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from keepwarm.errors import LedgerError
from keepwarm.ledger import tallies

APPLICATION_ID = 0x6B77726D
""""kwrm", in the file's header (https://www.sqlite.org/pragma.html#pragma_application_id)."""

_REQUESTS = """
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,  -- in the order of writing, which is the order in which requests ended
    id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    front TEXT NOT NULL,
    client TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    lineage TEXT NOT NULL,
    parent TEXT NOT NULL,
    turn INTEGER NOT NULL,
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,
    stream INTEGER NOT NULL,
    status INTEGER NOT NULL,
    ending TEXT NOT NULL,
    error TEXT NOT NULL,
    received_bytes INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    answered_bytes INTEGER NOT NULL,
    overhead_ms REAL,
    first_byte_ms REAL,
    first_token_ms REAL,
    total_ms REAL,
    prompt_tokens INTEGER,  -- NULL in these six: the server did not report it, which is not 0
    cached_tokens INTEGER,
    output_tokens INTEGER,
    prompt_ms REAL,
    output_ms REAL,
    written_tokens INTEGER,
    outcome TEXT,  -- NULL: the request got no verdict
    blame TEXT,
    grade TEXT,
    expected INTEGER,
    actual INTEGER,
    lost INTEGER,
    sentence TEXT,
    cause TEXT,  -- the first of `causes`, to sum by
    causes TEXT,  -- JSON
    place TEXT,  -- JSON
    seat_reason TEXT,  -- NULL: the request was never seated
    slot INTEGER,
    replica TEXT,
    edits TEXT NOT NULL,  -- JSON
    metadata TEXT NOT NULL  -- JSON
)
"""

# A list of digests is msgpack: a head of 1, 3 or 5 bytes, then 18 bytes for each digest of 16.
_COUNT_USES = """
UPDATE segments SET uses = listed.uses FROM (
    WITH RECURSIVE
    lists (digests, at) AS (
        SELECT digests, CASE substr(digests, 1, 1) WHEN x'dc' THEN 4 WHEN x'dd' THEN 6 ELSE 2 END FROM request_segments
    ),
    entries (digests, at) AS (
        SELECT digests, at FROM lists WHERE at < length(digests)
        UNION ALL
        SELECT digests, at + 18 FROM entries WHERE at + 18 < length(digests)
    )
    SELECT substr(digests, at + 2, 16) AS digest, count(*) AS uses FROM entries GROUP BY 1
) AS listed WHERE segments.digest = listed.digest
"""

STEPS: tuple[tuple[str, ...], ...] = (
    (
        _REQUESTS,
        # seq behind each: SQLite appends the rowid to an index, so each of them also gives the order of writing.
        "CREATE INDEX requests_by_lineage ON requests (lineage)",
        "CREATE INDEX requests_by_session ON requests (session)",
        "CREATE INDEX requests_by_time ON requests (at)",
        "CREATE TABLE drops (at REAL NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL)",
    ),
    (
        "CREATE TABLE segments (digest BLOB PRIMARY KEY, zstd BLOB NOT NULL)",
        # One row for the received side (0) and one for the sent side (1) of a recorded request: its digests are the
        # first `shared` ones of the request `base`, then those of `digests` (a msgpack list). See recordings.py.
        """
        CREATE TABLE request_segments (
            request INTEGER NOT NULL,
            side INTEGER NOT NULL,
            base INTEGER,
            shared INTEGER NOT NULL,
            digests BLOB NOT NULL,
            PRIMARY KEY (request, side)
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE requests ADD COLUMN had INTEGER",
        "ALTER TABLE requests ADD COLUMN lost_ms REAL",
    ),
    (
        "ALTER TABLE requests ADD COLUMN places TEXT",  # JSON
        "ALTER TABLE requests ADD COLUMN shared INTEGER",
    ),
    (
        # What stands, sealed: see archive.py. place, owner and name are keyed digests.
        """
        CREATE TABLE conversations (
            number INTEGER PRIMARY KEY,
            place BLOB NOT NULL,
            owner BLOB NOT NULL,
            name BLOB NOT NULL,
            used REAL NOT NULL,
            size INTEGER NOT NULL,
            door BLOB,  -- not NULL: it is kept under another secret, which is sealed here
            UNIQUE (place, owner, name)
        )
        """,
        "CREATE INDEX conversations_by_use ON conversations (used)",
        """
        CREATE TABLE standing (
            seq INTEGER PRIMARY KEY,  -- in the order of writing
            conversation INTEGER NOT NULL,
            name BLOB NOT NULL,
            sealed BLOB NOT NULL,
            UNIQUE (conversation, name)
        )
        """,
        """
        CREATE TABLE tenants (
            server TEXT NOT NULL,
            lineage TEXT NOT NULL,
            session TEXT NOT NULL,
            kind TEXT NOT NULL,
            slot INTEGER,  -- NULL: another conversation has taken it
            used REAL NOT NULL,
            PRIMARY KEY (server, lineage)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX tenants_by_slot ON tenants (server, slot)",
    ),
    tallies.STEP,
    (
        # In how many lists of request_segments a text stands: it goes with the last of them.
        "ALTER TABLE segments ADD COLUMN uses INTEGER NOT NULL DEFAULT 0",
        _COUNT_USES,
    ),
)


def version(connection: sqlite3.Connection) -> int:
    """The version of the file; 0 when nothing was ever written to it.

    Raises LedgerError when it is another program's database.
    """
    # In one transaction, for one view of the file: another gateway may be making its tables at this moment.
    within = connection.in_transaction
    if not within:
        connection.execute("BEGIN")
    try:
        number = int(connection.execute("PRAGMA user_version").fetchone()[0])
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    finally:
        if not within:
            connection.execute("ROLLBACK")
    if owner == APPLICATION_ID:
        return number
    if owner or number or tables:
        raise LedgerError("it is the database of another program, not a ledger; name another file with --ledger")
    return 0


def refuse_newer(found: int, known: int) -> None:
    """Raises LedgerError when a file's version is above the one known here."""
    if found > known:
        raise LedgerError(
            f"it was written by a newer keepwarm (its tables have version {found}, this one knows {known}): "
            "upgrade keepwarm, or move the file away to begin a new one"
        )


def migrate(connection: sqlite3.Connection, steps: Sequence[Sequence[str]] = STEPS) -> int:
    """Brings the file to the version `len(steps)` and gives back the version it had.

    The connection is in autocommit mode (isolation_level None). Raises LedgerError for a newer file or another
    program's, sqlite3.Error when SQLite cannot write; then the file is as it was.
    """
    # The version is read again under the write lock: two gateways may start on one new file at the same moment.
    connection.execute("BEGIN IMMEDIATE")
    try:
        before = version(connection)
        refuse_newer(before, len(steps))
        if before < len(steps):
            for step in steps[before:]:
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except (sqlite3.Error, LedgerError):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return before
