"""Moments, however they are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.logs.instant import instant, since

NOON = 1_790_078_400.0


@pytest.mark.parametrize(
    "said",
    [
        NOON,
        NOON * 1000,
        1_790_078_400,
        "2026-09-22T12:00:00Z",
        "2026-09-22 12:00:00",
        "2026-09-22T12:00",
        "2026-09-22T14:00:00.000+02:00",
        "2026-09-22T05:30:00-0630",
        "2026-09-22T13:00:00+01",
    ],
)
def test_the_same_moment(said: float | str) -> None:
    assert instant(said) == NOON


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone comes from the next one
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_it_counts_as_the_library_does(day: datetime, zone: timezone) -> None:
    moment = day.replace(tzinfo=UTC).astimezone(zone)
    assert instant(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-4)


@pytest.mark.parametrize("said", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-09-22T12:61:00Z", -1.0, 1e30])
def test_what_is_no_moment(said: float | str) -> None:
    with pytest.raises(ValueError, match=r"moment|ISO 8601"):
        instant(said)


def test_the_time_since_a_moment() -> None:
    assert since(1_000_000_000.0, 1_000_000_000.25) == 250.0
    assert since(1_000_000_000.0, "2001-09-09T01:46:41Z") == 1000.0
    assert since(1_000_000_000.0, 999_999_999.0) is None
    assert since(1_000_000_000.0, None) is None
