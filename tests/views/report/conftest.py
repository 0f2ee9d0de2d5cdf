"""Times are UTC; a ledger with a day, and one with many."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.views.clocks import utc
from tests.views.day import a_day
from tests.views.screens import write_ledger

__all__ = ["utc"]


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day with agents."""
    return write_ledger(tmp_path / "ledger.sqlite", *a_day())
