"""A terminal that remembers what was printed to it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console, RenderableType

from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.store import Ledger


class Screen:
    """A console of some width and encoding that writes to memory, without colour."""

    def __init__(self, width: int = 80, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        self._file = io.TextIOWrapper(self._bytes, encoding=encoding)
        self.console = Console(file=self._file, width=width, color_system=None)

    def text(self) -> str:
        """All that was printed, without the blanks that a table leaves at the end of a line."""
        self._file.flush()
        lines = self._bytes.getvalue().decode(self._file.encoding).splitlines()
        return "\n".join(line.rstrip() for line in lines)


def show(renderable: RenderableType, width: int = 80, encoding: str = "utf-8") -> str:
    """What `renderable` looks like."""
    screen = Screen(width, encoding)
    screen.console.print(renderable, highlight=False)
    return screen.text()


def write_ledger(path: Path, *entries: Record | tuple[Record, Recording]) -> Path:
    """A closed ledger that holds these requests."""
    ledger = Ledger(path)
    for entry in entries:
        record, recording = entry if isinstance(entry, tuple) else (entry, None)
        assert ledger.put(record, recording)
    assert ledger.close()
    assert ledger.dropped == 0, ledger.last_error
    return path
