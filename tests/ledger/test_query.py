"""Questions to a ledger on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.errors import LedgerError
from keepwarm.ledger.query import News, Query
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import RECORDS, a_record, a_recording


def fill(path: Path, *records: Record) -> None:
    ledger = Ledger(path)
    for record in records:
        assert ledger.put(record)
    assert ledger.close()
    assert ledger.dropped == 0, ledger.last_error


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def ids(records: tuple[Record, ...]) -> list[str]:
    return [record.id for record in records]


def test_there_is_no_ledger_yet(path: Path) -> None:
    with pytest.raises(LedgerError, match=r"no requests yet: .*keepwarm serve"):
        Query(path)
    assert not path.exists()


def test_a_ledger_without_requests(path: Path) -> None:
    fill(path)
    with Query(path) as query:
        assert query.last() is None
        assert query.page().records == ()
        assert query.end() == 0
        assert query.totals().requests == 0


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_text("words " * 500)
    with pytest.raises(LedgerError, match="file is not a database"):
        Query(path)


def test_a_damaged_file_is_an_error_of_the_ledger(path: Path) -> None:
    fill(path, *(a_record(id=f"r{number}") for number in range(500)))
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xee" * (len(whole) - 8192))
    with pytest.raises(LedgerError, match=r"cannot be read.*move it away"), Query(path) as query:
        query.page(limit=500)


def test_the_reader_cannot_write(path: Path) -> None:
    fill(path, a_record())
    with Query(path) as query, pytest.raises(sqlite3.OperationalError, match="readonly"):
        query._connection.execute("DELETE FROM requests")


def test_the_newest_is_the_one_that_ended_last(path: Path) -> None:
    fill(path, a_record(id="slow", at=1.0), a_record(id="quick", at=0.5))
    with Query(path) as query:
        assert query.last() == a_record(id="quick", at=0.5)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("ab12", "ab12"), ("ab1", "ab12"), ("b", "b%_*?"), ("b%", "b%_*?"), ("ab", "ab")],
)
def test_a_request_by_the_beginning_of_its_id(path: Path, asked: str, answer: str) -> None:
    fill(path, *(a_record(id=name) for name in ("ab12", "ab34", "ab", "b%_*?")))
    with Query(path) as query:
        assert query.by_id(asked).id == answer


@pytest.mark.parametrize("asked", ["%", "x", "AB", "'; DROP TABLE requests"])
def test_no_request_begins_so(path: Path, asked: str) -> None:
    fill(path, a_record(id="ab12"))
    with Query(path) as query, pytest.raises(LedgerError, match="no request has an id"):
        query.by_id(asked)


def test_several_requests_begin_so(path: Path) -> None:
    fill(path, *(a_record(id=f"ab{number}") for number in range(9)))
    with Query(path) as query, pytest.raises(LedgerError, match=r"several .* 'ab': ab0, ab1, ab2, ab3, ab4, \.\.\.$"):
        query.by_id("ab")


def test_an_empty_id_is_not_any_request(path: Path) -> None:
    fill(path, a_record())
    with Query(path) as query, pytest.raises(LedgerError, match="an id is needed"):
        query.by_id("")


@given(count=st.integers(0, 12), limit=st.integers(1, 5))
@settings(max_examples=15)
def test_pages_hold_each_request_once_newest_first(
    tmp_path_factory: pytest.TempPathFactory, count: int, limit: int
) -> None:
    path = tmp_path_factory.mktemp("pages") / "ledger.sqlite"
    fill(path, *(a_record(id=f"r{number}") for number in range(count)))
    seen: list[str] = []
    before: int | None = None
    with Query(path) as query:
        while True:
            page = query.page(before, limit)
            seen += ids(page.records)
            if page.older is None:
                break
            assert len(page.records) == limit
            before = page.older
    assert seen == [f"r{number}" for number in reversed(range(count))]


def test_a_page_of_one_session(path: Path) -> None:
    fill(path, *(a_record(id=f"r{number}", session=("aa1", "ab2")[number % 2]) for number in range(6)))
    with Query(path) as query:
        assert ids(query.page(session="ab").records) == ["r5", "r3", "r1"]
        assert ids(query.page(session="aa1", limit=2).records) == ["r4", "r2"]
        with pytest.raises(LedgerError, match=r"several sessions begin with 'a': aa1, ab2"):
            query.page(session="a")
        with pytest.raises(LedgerError, match="no session"):
            query.page(session="b")


def test_a_session_that_is_the_beginning_of_another_can_be_named(path: Path) -> None:
    fill(path, a_record(id="r0", session="a"), a_record(id="r1", session="ab"))
    with Query(path) as query:
        assert query.session("a") == "a"


def test_following_gives_what_came_since_oldest_first(path: Path) -> None:
    fill(path, a_record(id="r0"))
    with Query(path) as query:
        since, change = query.end(), query.change()
        assert query.follow(since).records == ()
        fill(path, a_record(id="r1"), a_record(id="r2", session="other"), a_record(id="r3"))
        assert query.change() != change
        first = query.follow(since, limit=2)
        assert ids(first.records) == ["r1", "r2"]
        rest = query.follow(first.seen)
        assert ids(rest.records) == ["r3"]
        assert query.follow(rest.seen) == News((), rest.seen)
        assert ids(query.follow(since, session="oth").records) == ["r2"]


def test_a_lineage_is_its_newest_requests_oldest_first(path: Path) -> None:
    fill(path, *(a_record(id=f"r{number}", lineage=("aa", "bb")[number % 2], turn=number) for number in range(8)))
    with Query(path) as query:
        assert ids(query.lineage("aa")) == ["r0", "r2", "r4", "r6"]
        assert ids(query.lineage("aa", limit=2)) == ["r4", "r6"]
        assert query.lineage("cc") == ()


def test_totals_leave_out_what_was_not_reported(path: Path) -> None:
    def lost(tokens: int, *causes: str) -> Verdict:
        return Verdict("partial", "client", "counted", lost=tokens, causes=causes)

    fill(
        path,
        a_record(id="r0", at=10.0, usage=Usage(1000, 0, 5), verdict=lost(900, "VOL001")),
        a_record(id="r1", at=20.0, usage=Usage(1000, 600, 5), verdict=lost(300, "VOL001", "ROL001")),
        a_record(id="r2", at=30.0, usage=Usage(1000, None, 5), verdict=Verdict("unknown", "nobody", "unknown")),
        a_record(id="r3", at=40.0, usage=Usage(), verdict=None, ending="failed", status=502),
        a_record(id="r4", at=50.0, usage=Usage(100, 90), verdict=lost(7)),
    )
    with Query(path) as query:
        totals = query.totals()
        later = query.totals(since=20.0)
    assert (totals.requests, totals.failed, totals.unreported) == (5, 1, 2)
    assert (totals.prompt_tokens, totals.cached_tokens, totals.processed_tokens) == (3100, 690, 1410)
    assert (totals.output_tokens, totals.lost_tokens) == (15, 1207)
    assert totals.lost_by_cause == (("VOL001", 1200), ("", 7))
    assert (later.requests, later.lost_tokens, later.lost_by_cause) == (4, 307, (("VOL001", 300), ("", 7)))


@given(st.lists(RECORDS, max_size=8, unique_by=lambda record: record.id))
@settings(max_examples=30)
def test_what_was_stored_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    path = tmp_path_factory.mktemp("any") / "ledger.sqlite"
    fill(path, *records)
    with Query(path) as query:
        assert query.page(limit=10).records == tuple(reversed(records))
        assert [query.get(record.id) for record in records] == records


@pytest.mark.parametrize(
    "ask",
    [
        lambda query: query.page(before=900, limit=20),
        lambda query: query.page(session="session-1", limit=20),
        lambda query: query.by_id("r2770"),
        lambda query: query.lineage("lineage-2", limit=20),
        lambda query: query.session("session-1"),
    ],
    ids=["page", "page of a session", "by id", "lineage", "session"],
)
def test_no_question_reads_the_whole_table(path: Path, ask: Callable[[Query], object]) -> None:
    """In SQLite's own steps, which do not depend on the machine: 3,000 more requests cost next to nothing."""

    def steps(known: int) -> int:
        fill(
            path,
            *(
                a_record(id=f"r{number:04}x", session=f"session-{number // 300}", lineage=f"lineage-{number // 50}")
                for number in range(known - 3000, known)
            ),
        )
        taken = 0

        def step() -> int:
            nonlocal taken
            taken += 1
            return 0

        with Query(path) as query:
            query._connection.set_progress_handler(step, 10)
            ask(query)
        return taken

    few = steps(3000)
    assert steps(6000) < few + 30


def test_a_lineage_around_one_of_its_requests(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "around.sqlite")
    for number in range(30):
        ledger.put(a_record(id=f"r{number:02}", lineage="ours" if number % 2 else "theirs", turn=number))
    ledger.close()
    with Query(tmp_path / "around.sqlite") as query:
        middle, first, last = (query.get(f"r{number:02}") for number in (15, 1, 29))
        assert middle is not None
        assert first is not None
        assert last is not None
        assert [one.turn for one in query.around(middle, 3, 2)] == [11, 13, 15, 17, 19]
        assert [one.turn for one in query.around(first, 3, 2)] == [1, 3, 5]
        assert [one.turn for one in query.around(last, 3, 2)] == [25, 27, 29]


def test_whether_texts_are_there(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "texts.sqlite")
    ledger.put(a_record(id="plain"))
    ledger.put(a_record(id="kept"), a_recording("kept", "words"))
    ledger.close()
    with Query(tmp_path / "texts.sqlite") as query:
        assert [query.is_recorded(name) for name in ("plain", "kept", "gone")] == [False, True, False]


def test_the_requests_that_lost_most(path: Path) -> None:
    def lost(tokens: int, outcome: str = "miss") -> Verdict:
        return Verdict(outcome, "client", "counted", lost=tokens)  # type: ignore[arg-type]

    fill(
        path,
        a_record(id="a", at=1.0, verdict=lost(10)),
        a_record(id="b", at=2.0, verdict=lost(30, "partial")),
        a_record(id="c", at=3.0, verdict=lost(20), session="", lineage="aa"),
        a_record(id="d", at=4.0, verdict=lost(99)),
        a_record(id="e", at=2.5, verdict=lost(0)),
        a_record(id="f", at=2.5, verdict=None),
    )
    with Query(path) as query:
        assert ids(query.worst(0.0, 4.0, 9)) == ["b", "c", "a"]
        assert ids(query.worst(0.0, 9.0, 2)) == ["d", "b"]
        assert ids(query.worst(0.0, 9.0, 9, "aa")) == ["c"]
        assert ids(query.worst(2.0, 3.0, 9)) == ["b"]
