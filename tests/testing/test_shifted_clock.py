"""The clock of a client that runs on node: it shows what it is set to, goes on, and may be set again at any time."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwarm.testing.shifted_clock import LOADER, ShiftedClock, shift

EVE = datetime(2026, 3, 14, 23, 59, 30, tzinfo=UTC)
MORNING = datetime(2026, 3, 15, 0, 0, 30, tzinfo=UTC)
PROGRAM = """
const fs = require("node:fs");
const seen = () => {
  const now = new Date();
  return [now.toISOString(), Date.now(), Date(), new Date(0).toISOString(), now instanceof Date];
};
const before = seen();
fs.copyFileSync(process.argv[1], process.env.KEEPWARM_CLOCK);
setTimeout(() => console.log(JSON.stringify([before, seen()])), 60);
"""


def test_a_day_ends_while_the_client_runs(tmp_path: Path) -> None:
    clock = ShiftedClock(tmp_path / "clock")
    clock.set(EVE)
    (tmp_path / "morning").write_text(shift(MORNING))
    ran = subprocess.run(
        ["node", "-e", PROGRAM, str(tmp_path / "morning")],
        env={"PATH": os.environ["PATH"], **clock.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    for (written, milliseconds, words, epoch, is_date), wanted in zip(
        json.loads(ran.stdout), (EVE, MORNING), strict=True
    ):
        now = datetime.fromisoformat(written)
        assert timedelta(0) <= now - wanted < timedelta(seconds=29)
        assert abs(milliseconds / 1000 - now.timestamp()) < 1
        assert now.strftime("%a %b %d %Y") in words
        assert (epoch, is_date) == ("1970-01-01T00:00:00.000Z", True)


def test_a_clock_that_nobody_has_set_is_an_error(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **ShiftedClock(tmp_path / "clock").environment()}
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["node", "-e", "new Date()"], env=environment, capture_output=True, check=True)


def test_what_node_loads_is_there() -> None:
    assert LOADER.is_file()
