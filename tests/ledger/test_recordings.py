"""The texts of recorded requests: each segment once, compressed, each request's list short, and nothing unasked."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from keepwarm.ledger.query import Query
from keepwarm.ledger.recordings import DEEPEST
from keepwarm.ledger.records import Recording
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record, a_recording

WORDS = "Zwetschgenkuchen at " + "".join(chr(0x21 + 7 * place % 90) for place in range(60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def count(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        number: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return number


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


def test_no_text_is_in_the_file_when_none_is_recorded(path: Path) -> None:
    recorded = Ledger(path.with_name("recorded.sqlite"))
    recorded.put(a_record(), a_recording("5f0c2a9e61", WORDS))
    recorded.flush()
    assert b"Zwetschgenkuchen" in everything(recorded.path), "the scan finds what is there"
    recorded.close()
    plain = Ledger(path)
    plain.put(a_record())
    plain.flush()
    assert b"Zwetschgenkuchen" not in everything(path)
    plain.close()
    assert (count(path, "segments"), count(path, "request_segments")) == (0, 0)


def test_a_segment_that_is_said_again_is_stored_once(path: Path) -> None:
    ledger = Ledger(path)
    system = "You are a careful agent. " * 8000
    texts = [system]
    for turn in range(1, 41):
        texts.append(f"turn {turn} {os.urandom(40).hex()}")
        ledger.put(a_record(id=f"r{turn}"), a_recording(f"r{turn}", *texts))
    ledger.put(a_record(id="side", lineage="another"), a_recording("side", system))
    assert ledger.close()
    assert count(path, "segments") == 41
    assert path.stat().st_size < len(system), "compressed, and once"
    with Query(path) as query:
        assert query.texts("r40") == a_recording("r40", *texts)
        assert query.texts("side") == a_recording("side", system)


def test_a_list_of_segments_grows_with_its_turn_and_not_with_the_conversation(path: Path) -> None:
    ledger = Ledger(path)
    texts = [f"{turn:08}" for turn in range(256)]
    for turn in range(1, 257):
        ledger.put(a_record(id=f"r{turn}"), a_recording(f"r{turn}", *texts[:turn]))
    assert ledger.close()
    with sqlite3.connect(path) as connection:
        total, whole = connection.execute(
            "SELECT sum(length(digests)), sum(base IS NULL) FROM request_segments WHERE side = 1"
        ).fetchone()
    connection.close()
    assert whole == -(-256 // (DEEPEST + 1)), "and reading one never goes through more than a few"
    assert total < 256 * 257 / 2 * 16 / 10, "a tenth of what it takes to list each request's digests in full"


def test_the_texts_of_a_request(path: Path) -> None:
    ledger = Ledger(path)
    ledger.put(a_record(id="told"), a_recording("told", "one", "two"))
    ledger.put(a_record(id="untold"))
    assert ledger.close()
    with Query(path) as query:
        assert query.texts("told") == a_recording("told", "one", "two")
        assert query.texts("untold") is None
        assert query.texts("nobody") is None


def test_a_recording_is_read_through_many_turns(path: Path) -> None:
    texts = [f"turn {number}" for number in range(80)]
    ledger = Ledger(path)
    for number in range(1, 81):
        name = f"r{number}"
        head = "rewound" if number == 50 else texts[0]
        ledger.put(a_record(id=name), a_recording(name, head, *texts[1:number]))
    assert ledger.close()

    def said(query: Query, name: str) -> list[bytes]:
        recording: Recording | None = query.texts(name)
        assert recording is not None
        return [text for _, text in recording.received]

    with Query(path) as query:
        assert said(query, "r80") == [text.encode() for text in texts]
        assert said(query, "r50") == [b"rewound", *(text.encode() for text in texts[1:50])]
        assert said(query, "r33") == [text.encode() for text in texts[:33]]
