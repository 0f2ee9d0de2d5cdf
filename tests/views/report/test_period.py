"""When a report begins, as a person writes it."""

from __future__ import annotations

import pytest

from keepwarm.errors import ConfigError
from keepwarm.views.report.period import moment
from tests.views.day import NOON


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("7d", NOON - 604_800),
        (" 12 h", NOON - 43_200),
        ("30m", NOON - 1_800),
        ("2w", NOON - 1_209_600),
        ("2026-09-22", NOON - 43_200),
        ("2026-09-22T12:00", NOON),
        ("2026-09-22 14:00+02:00", NOON),
        ("2026-09-22T12:00:00Z", NOON),
    ],
)
def test_a_moment(said: str, at: float) -> None:
    assert moment(said, NOON, "--since") == at


@pytest.mark.parametrize("said", ["", "yesterday", "7", "7y", "22.09.2026", "2026-13-01", "-3d"])
def test_what_is_no_moment_is_told_how_to_be_written(said: str) -> None:
    with pytest.raises(ConfigError, match=r"--since .* is no moment: write 7d, 12h"):
        moment(said, NOON, "--since")
