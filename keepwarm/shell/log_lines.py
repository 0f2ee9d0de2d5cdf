"""The lines that `keepwarm serve` prints: noted at once, printed a moment later and together.

To print a line takes longer than to decide about a request, and the next request should not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from rich.console import Console
from rich.text import Text

from keepwarm.core.events import Progress
from keepwarm.ledger.records import Record
from keepwarm.views import log

LATER_SECONDS: Final = 0.1


class LogLines:
    """What happens in a gateway, as lines on a console. Belongs to the loop that it is used in."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._waiting: list[Record | Text] = []
        self._timer: asyncio.TimerHandle | None = None

    def record(self, record: Record) -> None:
        """A request is over."""
        self._note(record)

    def progress(self, call: str, progress: Progress) -> None:
        """A long prefill has come so far."""
        self._note(Text(log.progress(call, progress), style="dim"))

    def flush(self) -> None:
        """Print what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        if waiting:
            width, ascii_only = self._console.width, self._console.options.ascii_only
            lines = [one if isinstance(one, Text) else log.line(one, width, ascii_only=ascii_only) for one in waiting]
            with contextlib.suppress(OSError):  # the disk that they go to is full: the gateway goes on
                if self._console.is_terminal:
                    self._console.print(Text("\n").join(lines), soft_wrap=True)
                else:  # a file has no use for colours, and takes them off slowly
                    self._console.out("\n".join([line.plain for line in lines]), highlight=False)

    def _note(self, what: Record | Text) -> None:
        self._waiting.append(what)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATER_SECONDS, self.flush)
