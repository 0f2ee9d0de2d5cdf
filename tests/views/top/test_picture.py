"""What is read for the screen: periods, filters, sessions with their newest request."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Recording
from keepwarm.views.top.picture import DAY, WHOLE, Asked, Detail, Picture, gather, look
from tests.ledger.samples import a_record, segments
from tests.views.day import CLAUDE, NOON, OTHER, a_day
from tests.views.screens import write_ledger


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return write_ledger(tmp_path / "ledger.sqlite", *a_day())


def picture(path: Path, asked: Asked = Asked(), now: float = NOON + 1) -> Picture:  # noqa: B008
    with Query(path) as query:
        return gather(query, asked, now)


def test_all_of_it(day: Path) -> None:
    found = picture(day)
    assert [row.name for row in found.rows] == [CLAUDE, OTHER, "cc01"]
    assert found.totals is not None
    assert found.totals.requests == len(found.records) == len(a_day())
    assert [record.at for record in found.records] == sorted((record.at for record in a_day()), reverse=True)
    assert found.period == DAY


def test_the_figures_are_those_of_the_query(day: Path) -> None:
    with Query(day) as query:
        for row in picture(day).rows:
            sums = query.session_sums(row.name)
            assert sums is not None
            assert row.sums == sums


def test_a_session_has_its_conversations_below_it(day: Path) -> None:
    found = picture(day, Asked(session=CLAUDE))
    assert [(row.below, row.sums.sums.requests) for row in found.rows] == [
        (False, 19),
        (True, 14),
        (True, 5),
    ]
    assert {record.session for record in found.records} == {CLAUDE}
    assert found.rows[2].last is not None
    assert found.rows[2].last.kind == "subagent"


def test_a_client_that_names_no_session(day: Path) -> None:
    found = picture(day, Asked(session="cc01"))
    assert {record.lineage for record in found.records} == {"cc01"}
    assert len(found.records) == 4


@pytest.mark.parametrize(
    ("words", "names"),
    [("QWEN-code", ["cc01"]), ("claude b7d2", [OTHER]), ("qwen3", [CLAUDE, OTHER, "cc01"]), ("nobody", [])],
)
def test_a_filter_by_words(day: Path, words: str, names: list[str]) -> None:
    found = picture(day, Asked(words=words))
    assert [row.name for row in found.rows] == names
    assert {record.session or record.lineage for record in found.records} == set(names)


def test_where_nothing_happened_lately_the_whole_is_shown(day: Path) -> None:
    found = picture(day, now=NOON + 10 * 86_400)
    assert found.period == WHOLE
    assert found.rows


def test_an_hour(day: Path) -> None:
    found = picture(day, Asked(period=0), now=NOON + 3_000)
    assert found.totals is not None
    assert found.totals.requests == sum(record.at >= NOON - 600 for record in a_day()) == len(found.records)


def test_a_ledger_without_requests_says_what_to_do(tmp_path: Path) -> None:
    found = picture(write_ledger(tmp_path / "empty.sqlite"))
    assert "keepwarm serve" in found.trouble
    assert not found.rows


def test_more_sessions_than_there_is_room_for(tmp_path: Path) -> None:
    records = [a_record(id=f"r{number}", session=f"s{number}", lineage=f"l{number}") for number in range(70)]
    found = picture(write_ledger(tmp_path / "many.sqlite", *records), now=1_790_000_001.0)
    assert (len(found.rows), found.more) == (60, 10)


def detail(path: Path, record_id: str) -> Detail | None:
    with Query(path) as query:
        return look(query, record_id)


def test_one_request_with_what_belongs_to_it(day: Path) -> None:
    found = detail(day, "a5" + "0" * 22)
    assert found is not None
    assert found.previous is not None
    assert found.previous.turn == 4
    assert found.diff.code == "VOL001"
    assert not found.recorded
    assert detail(day, "none") is None


def test_recorded_words(tmp_path: Path) -> None:
    first, second = a_record(id="f1"), a_record(id="f2", parent="f1", turn=2)
    path = write_ledger(
        tmp_path / "ledger.sqlite",
        (first, Recording("f1", segments("alike", "one"), segments("alike", "one"))),
        (second, Recording("f2", segments("alike", "two"), segments("alike", "two"))),
    )
    found = detail(path, "f2")
    assert found is not None
    assert found.recorded
    assert (found.diff.before, found.diff.after) == ("one", "two")
