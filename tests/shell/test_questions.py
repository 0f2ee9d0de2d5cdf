"""The API's questions to the ledger, put to a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.ledger.store import Ledger
from keepwarm.shell import questions
from keepwarm.shell.guard import Refused
from keepwarm.shell.questions import Named, RequestsAsked, SessionsAsked, Span, Spent, Steps, Which
from tests.ledger.samples import a_record, a_recording


@pytest.fixture
def query(tmp_path: Path) -> Iterator[Query]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record(id="aa1", at=100.0, session="s1"), a_recording("aa1", "head", "one"))
    ledger.put(a_record(id="aa2", at=200.0, session="s1", parent="aa1"), a_recording("aa2", "head", "two"))
    ledger.put(a_record(id="cc1", at=10.0, session="", lineage="nameless"))
    ledger.put(a_record(id="dd1", at=20.0, session="", lineage=""))
    ledger.put(a_record(id="bb1", at=300.0, session="s2", kind="side"))
    assert ledger.close()
    with Query(tmp_path / "ledger.sqlite") as query:
        yield query


def test_totals_and_costs_of_a_span(query: Query) -> None:
    assert questions.totals(query, Span(since=150.0, until=300.0)).requests == 1
    assert questions.totals(query, Span(session="s1")).requests == 2
    assert questions.costs(query, Spent(since=150.0, session="s1")).gpu_seconds == pytest.approx(1.21)


def test_sessions_and_one_of_them(query: Query) -> None:
    assert [one.name for one in questions.sessions(query, SessionsAsked()).sessions] == ["s2", "-", "nameless", "s1"]
    assert [one.name for one in questions.sessions(query, SessionsAsked(since=250.0)).sessions] == ["s2"]
    answer = questions.session(query, Named("s1"))
    assert (answer.session.sums.requests, len(answer.conversations)) == (2, 1)
    with pytest.raises(Refused):
        questions.session(query, Named("s"))


def test_requests_by_what_they_are(query: Query) -> None:
    def ids(**asked: str) -> list[str]:
        return [record.id for record in questions.requests(query, msgspec.convert(asked, RequestsAsked)).records]

    assert ids() == ["bb1", "dd1", "cc1", "aa2", "aa1"]
    assert ids(kind="side") == ["bb1"]
    assert ids(session="s1") == ["aa2", "aa1"]
    assert ids(session="nameless") == ["cc1"]
    assert ids(session="-") == ["dd1"]
    with pytest.raises(Refused, match="several sessions"):
        ids(session="s")
    with pytest.raises(Refused, match="no session"):
        ids(session="name")


def test_a_request_by_the_beginning_of_its_id(query: Query) -> None:
    explained = questions.explanation(query, Which("aa2"))
    assert (explained.request.id, explained.recorded) == ("aa2", True)
    assert explained.previous is not None
    assert explained.previous.id == "aa1"
    assert explained.page.startswith("Request aa2")
    assert "\x1b" not in explained.page
    assert questions.explanation(query, Which("last")).request.id == "bb1"
    with pytest.raises(Refused, match="several requests"):
        questions.explanation(query, Which("aa"))


def test_segments_and_diffs_show_words_only_where_they_are_recorded(query: Query) -> None:
    found = questions.segments_of(query, Which("aa2"))
    assert [(one.text, one.state) for one in found.segments] == [("head", "stable"), ("two", "changed")]
    assert questions.segments_of(query, Which("bb1")).grade == "counted"
    parted = questions.diff_of(query, Which("aa2"))
    assert (parted.before, parted.after, parted.recorded) == ("one", "two", True)


def test_a_series_has_a_bound(query: Query) -> None:
    found = questions.series(query, Steps(since=0.0, until=400.0, step=100.0))
    assert [(bucket.at, bucket.sums.requests) for bucket in found.buckets] == [
        (0.0, 2),
        (100.0, 1),
        (200.0, 1),
        (300.0, 1),
    ]
    with pytest.raises(Refused, match="steps"):
        questions.series(query, Steps(since=0.0, until=1e9, step=1.0))


def test_what_a_listener_has_missed(query: Query) -> None:
    assert [record.id for record in questions.missed(query, "aa1")] == ["aa2", "cc1", "dd1", "bb1"]
    assert questions.missed(query, "none") == []


def test_an_empty_ledger_has_no_last_request(tmp_path: Path) -> None:
    Ledger(tmp_path / "empty.sqlite").close()
    with Query(tmp_path / "empty.sqlite") as query:
        with pytest.raises(Refused, match="no requests yet"):
            questions.diff_of(query, Which("last"))
        with pytest.raises(Refused, match="an id is needed"):
            questions.diff_of(query, Which(""))
        with pytest.raises(LedgerError):
            query.by_id("")


@pytest.mark.parametrize(
    ("kind", "said"),
    [(RequestsAsked, {"limit": "1001"}), (Span, {"since": "-1"}), (Span, {"since": "nan"}), (Steps, {"since": "0"})],
)
def test_what_cannot_be_asked(kind: type[msgspec.Struct], said: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, kind, strict=False)
