"""Sessions and their conversations, as the live views list them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keepwarm.core.events import Usage
from keepwarm.ledger.query import Only, Query
from keepwarm.ledger.records import Verdict
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record

MISS = Verdict("miss", "client", "counted", lost=900, causes=("VOL001",))


@pytest.fixture
def query(tmp_path: Path) -> Iterator[Query]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record(id="r0", at=10.0, session="s1", lineage="m1"))
    ledger.put(a_record(id="r1", at=20.0, session="s1", lineage="a1", kind="subagent", agent="explore"))
    ledger.put(a_record(id="r2", at=30.0, session="", lineage="n1", client="curl/8"))
    ledger.put(a_record(id="r3", at=40.0, session="s1", lineage="m1", usage=Usage(1000, 0, 5), verdict=MISS))
    ledger.put(a_record(id="r4", at=50.0, session="s1", lineage="t1", kind="side", usage=Usage(90, 0, 5)))
    ledger.put(a_record(id="r5", at=5.0, session="", lineage="", status=400, ending="failed", verdict=None))
    assert ledger.close()
    with Query(tmp_path / "ledger.sqlite") as query:
        yield query


def test_the_session_with_the_newest_request_comes_first(query: Query) -> None:
    page = query.sessions()
    assert [one.name for one in page.sessions] == ["-", "s1", "n1"]
    assert page.older is None
    first = page.sessions[1]
    assert (first.session, first.conversations, first.sums.requests) == ("s1", 3, 4)
    assert (first.first_at, first.last_at) == (10.0, 50.0)


def test_the_prompt_and_verdict_that_are_shown_are_those_of_the_main_conversation(query: Query) -> None:
    """A side call for a title was the newest; it says nothing of how large the session's prompt is."""
    one = query.session_sums("s1")
    assert one is not None
    assert (one.last_prompt_tokens, one.last_cause, one.last_outcome) == (1000, "VOL001", "miss")


def test_pages_of_sessions_hold_each_once(query: Query) -> None:
    first = query.sessions(limit=2)
    assert first.older is not None
    rest = query.sessions(limit=2, before=first.older)
    assert [one.name for one in (*first.sessions, *rest.sessions)] == ["-", "s1", "n1"]
    assert rest.older is None


def test_a_session_without_a_request_since_is_left_out(query: Query) -> None:
    assert [one.name for one in query.sessions(since=35.0).sessions] == ["s1"]


def test_the_conversations_of_a_session_and_where_they_were_begun(query: Query) -> None:
    found = query.conversations("s1")
    assert [(one.lineage, one.kind, one.parent) for one in found] == [
        ("m1", "main", ""), ("a1", "subagent", "m1"), ("t1", "side", "m1"),
    ]  # fmt: skip
    assert [one.lineage for one in query.conversations("n1")] == ["n1"]
    assert [one.lineage for one in query.conversations("-")] == [""]
    assert query.conversations("nobody") == ()
    assert query.session_sums("nobody") is None


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (Only(lineage="m1"), ["r3", "r0"]),
        (Only(cause="VOL001"), ["r3"]),
        (Only(outcome="miss"), ["r3"]),
        (Only(kind="side"), ["r4"]),
        (Only(client="curl/8"), ["r2"]),
        (Only(client="curl/8", model="other"), []),
    ],
)
def test_a_page_of_some_requests_only(query: Query, only: Only, found: list[str]) -> None:
    assert [record.id for record in query.page(only=only).records] == found


def test_the_place_of_a_request(query: Query) -> None:
    place = query.place("r3")
    assert place is not None
    assert [record.id for record in query.follow(place).records] == ["r4", "r5"]
    assert query.place("never") is None
