"""Sentences that all forms of a report share."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from keepwarm.views.report import phrases
from tests.views.report.test_figures import report


def test_nothing_lost_is_said(day: Path) -> None:
    found = report(day)
    calm = replace(found, totals=replace(found.totals, lost_tokens=0, failed=0, unreported=0))
    assert phrases.summary(calm)[1:] == ("Nothing was processed twice.",)
    assert "time for what was processed again" not in dict(phrases.costs(calm))


def test_what_could_not_be_written_is_said(day: Path) -> None:
    found = report(day)
    said = phrases.summary(replace(found, totals=replace(found.totals, dropped=3, drop_reason="disk full")))
    assert said[-1] == "3 requests could not be written down: disk full."


def test_money() -> None:
    assert phrases.money(0.01234) == "0.0123 USD"
    assert phrases.money(1234.5) == "1,234.50 USD"


def test_a_ledger_without_anything(day: Path) -> None:
    assert "keepwarm serve" in phrases.empty(replace(report(day), newest=None))[1]


def test_the_command_that_explains(day: Path) -> None:
    worst = report(day).worst[0]
    assert phrases.worst_row(worst)[-1] == f"keepwarm explain {worst.id[:12]}"
