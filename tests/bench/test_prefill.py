"""`python -m bench.prefill` runs, with the real Claude Code, and its table says what it should."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_quick_prints_both_ways_and_keepwarm_is_at_the_ideal(repository: Path) -> None:
    # One thread: llama.cpp's threads wait for each other by spinning, which a second worker makes very slow.
    command = [sys.executable, "-m", "bench.prefill", "--quick", "--threads", "1"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-2_000:]
    rows = {cells[1]: cells for line in done.stdout.splitlines() if (cells := _cells(line)) and cells[0] == "2.1.328"}
    assert rows.keys() == {"straight", "keepwarm"}
    assert float(rows["keepwarm"][6]) <= 1.02
    assert float(rows["straight"][6]) > float(rows["keepwarm"][6])
    assert "faults" not in done.stdout


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\|", line)[1:-1]]
