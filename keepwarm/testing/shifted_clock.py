"""A clock of its own for a client under test that runs on node: a day can end in the middle of a session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

VARIABLE: Final = "KEEPWARM_CLOCK"
"""Names the file that holds by how many seconds the client's clock differs from the machine's."""
LOADER: Final = Path(__file__).with_suffix(".cjs")
"""What node loads before the client."""


class ShiftedClock:
    """The clock that `path` sets; a client with `environment()` goes by it, from one moment to the next."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def environment(self) -> Mapping[str, str]:
        """What a client's environment needs besides its own."""
        return {"NODE_OPTIONS": f"--require {LOADER}", VARIABLE: str(self.path), "TZ": "UTC"}

    def set(self, now: datetime) -> None:
        """It is `now`, and goes on from there."""
        self.path.write_text(shift(now))


def shift(now: datetime) -> str:
    """What stands in the file of a clock that shows `now`; a tool call may copy it there."""
    return str((now - datetime.now(UTC)).total_seconds())
