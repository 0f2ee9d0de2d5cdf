"""`python -m bench.overhead` runs in its small form, and its tables have a row for each server. No time is judged."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_quick_prints_a_row_for_each_server_on_both_ways(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.overhead", "--quick"], cwd=repository, capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    titles = [line for line in done.stdout.splitlines() if line.startswith("## ")]
    assert len(titles) == 2
    rows = [cells for line in done.stdout.splitlines() if (cells := _cells(line))]
    seen = [tuple(row[:3]) for row in rows]
    expected = [
        (size, at_once, server)
        for size in ("64 KB", "150 KB")
        for at_once in ("1", "1, 5 ms apart", "16")
        for server in ("direct", "relay", "keepwarm")
    ]
    assert sorted(seen) == sorted(expected * 2)
    assert {row[7] for row in rows if row[2] == "relay"} == {"1.00"}


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    return cells if cells and re.fullmatch(r"\d+ KB", cells[0]) else []
