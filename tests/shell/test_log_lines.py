"""Lines are printed a moment later, together, in their order; a full disk stops nothing."""

from __future__ import annotations

import asyncio
import errno
import io

import pytest
from msgspec import structs
from rich.console import Console
from rich.text import Text

from keepwarm.core.events import Progress
from keepwarm.shell import log_lines
from keepwarm.shell.log_lines import LogLines
from keepwarm.views import log
from tests.ledger.test_records import PLAIN
from tests.views.screens import Screen


async def test_lines_wait_and_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "LATER_SECONDS", 0.0)
    screen = Screen(width=90)
    lines = LogLines(screen.console)
    lines.progress("5f0c2a11", Progress(1000, 0, 500, 2_000.0))
    lines.record(PLAIN)
    assert screen.text() == ""
    printed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.0, printed.set)  # behind the timer that prints
    await printed.wait()
    first, second = screen.text().splitlines()
    assert first.strip().startswith("5f0c2a prefill")
    assert PLAIN.id in second
    lines.record(PLAIN)
    lines.flush()
    assert len(screen.text().splitlines()) == 3
    await asyncio.sleep(0)
    assert len(screen.text().splitlines()) == 3


async def test_a_log_that_cannot_be_written_is_no_matter() -> None:
    class Full:
        encoding = "utf-8"

        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "no space left")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "no space left")

        def isatty(self) -> bool:
            return False

    lines = LogLines(Console(file=Full(), width=90))  # type: ignore[arg-type]
    lines.record(PLAIN)
    lines.flush()


@pytest.mark.parametrize("terminal", [False, True])
async def test_a_terminal_has_the_same_lines_as_a_file(terminal: bool) -> None:
    file = io.StringIO()
    lines = LogLines(Console(file=file, width=90, force_terminal=terminal, color_system="truecolor"))
    for record in (PLAIN, structs.replace(PLAIN, id="r2")):
        lines.record(record)
    lines.flush()
    assert ("\x1b[" in file.getvalue()) is terminal
    plain = Text.from_ansi(file.getvalue()).plain.splitlines()
    assert plain == [log.line(structs.replace(PLAIN, id=name), 90).plain for name in ("r1", "r2")]
