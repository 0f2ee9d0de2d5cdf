"""`python -m bench.growth` runs in its small form and tells of every turn. No time is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("speech", ["llamacpp", "anthropic"])
def test_a_short_conversation_is_told_from_its_first_turn_to_its_last(repository: Path, speech: str) -> None:
    command = [sys.executable, "-m", "bench.growth", "--turns", "20", "--speech", speech]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-2_000:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line][2:]
    assert [row[0] for row in rows] == [str(turn) for turn in range(2, 22, 2)]
    bodies = [int(row[1]) for row in rows]
    assert bodies == sorted(set(bodies))
    assert "The ledger's file has" in done.stdout
