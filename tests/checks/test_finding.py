"""Costs in tokens become seconds at the rate measured, and the exit code says how bad it is."""

from __future__ import annotations

import pytest

from keepwarm.checks.finding import AREAS, Area, Finding, Report, ServerReport, Severity, priced, seconds_of


def found(severity: Severity, area: Area = "server", tokens: int | None = None) -> Finding:
    """A finding without words."""
    return Finding(area=area, code="x", severity=severity, title="So it is.", tokens=tokens)


def test_tokens_are_told_in_seconds_and_areas_stand_in_order() -> None:
    rows = priced([found("bad", "memory", 20_000), found("ok", "client"), found("warn", "cache", 500)], 1000.0)
    assert [(one.area, one.seconds) for one in rows] == [("client", None), ("cache", 0.5), ("memory", 20.0)]
    assert [AREAS.index(one.area) for one in rows] == sorted(AREAS.index(one.area) for one in rows)


def test_without_a_rate_no_seconds_are_claimed() -> None:
    assert [one.seconds for one in priced([found("bad", tokens=20_000)], None)] == [None]
    assert seconds_of(None, 100.0) is None
    assert seconds_of(0, 100.0) is None


@pytest.mark.parametrize(
    ("general", "servers", "code"),
    [
        (("ok", "warn", "info"), [True], 0),
        (("ok", "bad"), [True], 1),
        (("ok",), [False, True], 1),
        (("ok",), [False], 2),
        (("ok", "bad"), [], 2),
    ],
)
def test_the_exit_code(general: tuple[Severity, ...], servers: list[bool], code: int) -> None:
    looked = tuple(
        ServerReport(url="u", known=(), looked=one, findings=(found("ok" if one else "bad"),)) for one in servers
    )
    report = Report(keepwarm="1", findings=tuple(found(one) for one in general), servers=looked)
    assert report.exit_code == code
