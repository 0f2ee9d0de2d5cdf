"""The figures of a report are those of the ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from keepwarm.core.events import Usage
from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.rules.codes import CODES
from keepwarm.views.report.figures import BARS, SESSIONS, WORST, Asked, Report, read
from tests.ledger.samples import a_record
from tests.views.day import CLAUDE, NOON, OTHER, a_day
from tests.views.screens import write_ledger

DAY = Asked(NOON - 43_200, NOON + 60)


def report(path: Path, asked: Asked = DAY) -> Report:
    with Query(path) as query:
        return read(query, asked, NOON, CODES, frozenset(CODES))


@pytest.mark.parametrize("session", ["", CLAUDE, OTHER, "cc01"])
def test_the_totals_are_those_of_the_query(day: Path, session: str) -> None:
    found = report(day, replace(DAY, session=session[:6]))
    with Query(day) as query:
        totals = query.totals(DAY.since, DAY.until, session or None)
    assert found.totals == totals
    assert found.session == session
    assert totals.requests > 0
    assert sum(bucket.sums.requests for bucket in found.buckets) == totals.requests
    assert sum(bucket.sums.cached_tokens for bucket in found.buckets) == totals.cached_tokens
    assert sum(one.totals.requests for one in found.sessions) == totals.requests
    assert sum(one.totals.lost_tokens for one in found.sessions) == totals.lost_tokens
    assert sum(one.lost_tokens for one in found.causes) == totals.lost_tokens
    assert sum(one.misses for one in found.causes) == totals.misses
    assert found.comparison is not None
    sides = (found.comparison.before.sums, found.comparison.after.sums)
    assert sum(one.requests for one in sides) == totals.requests
    assert sum(one.cached_tokens for one in sides) == totals.cached_tokens
    assert len(found.buckets) <= BARS + 1


def test_causes_stand_in_the_order_of_what_they_lost(day: Path) -> None:
    found = report(day)
    assert [one.code for one in found.causes] == ["SEA001", "VOL001", "HIS005"]
    assert [one.misses for one in found.causes] == [3, 1, 1]


def test_the_worst_requests_are_those_that_lost_most(day: Path) -> None:
    lost = [record.verdict.lost for record in report(day).worst if record.verdict is not None]
    every = sorted((record.verdict.lost for record in a_day() if record.verdict and record.verdict.lost), reverse=True)
    assert lost == every[:WORST]


def test_a_part_of_the_day(day: Path) -> None:
    until = NOON - 600
    found = report(day, replace(DAY, until=until))
    assert found.totals.requests == sum(record.at < until for record in a_day())
    assert all(record.at < until for record in found.worst)


def test_the_moment_of_a_change_parts_the_period(day: Path) -> None:
    found = report(day, replace(DAY, change=NOON - 900))
    assert found.comparison is not None
    assert found.comparison.chosen
    assert found.comparison.before.sums.requests == sum(record.at < NOON - 900 for record in a_day())


def test_an_empty_period_knows_when_something_came(day: Path) -> None:
    found = report(day, Asked(NOON + 100, NOON + 200))
    assert found.totals.requests == 0
    assert found.newest == max(record.at for record in a_day())
    assert found.comparison is None


def test_a_session_that_is_not_there(day: Path) -> None:
    with pytest.raises(LedgerError, match="no session has a name that begins with 'zz'"):
        report(day, replace(DAY, session="zz"))


def test_more_sessions_than_are_listed(tmp_path: Path) -> None:
    records = [a_record(id=f"r{n}", session=f"s{n:03}", lineage=f"l{n}", at=NOON - n) for n in range(SESSIONS + 9)]
    found = report(write_ledger(tmp_path / "many.sqlite", *records))
    assert found.session_count == SESSIONS + 9
    assert len(found.sessions) == SESSIONS


def test_money_where_the_model_has_a_price(tmp_path: Path) -> None:
    usage = Usage(1_000_000, 900_000, 10_000)
    record = a_record(at=NOON - 5, upstream="anthropic", model="claude-sonnet-4-5", usage=usage)
    cost = report(write_ledger(tmp_path / "paid.sqlite", record)).cost
    assert cost.currency == "USD"
    assert cost.amount > 0
    assert cost.saved > cost.amount
