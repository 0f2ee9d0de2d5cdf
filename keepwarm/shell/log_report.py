"""`keepwarm report --log`: a log becomes a ledger of its own, and the report is made from that."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console

from keepwarm.errors import LedgerError, LogError
from keepwarm.exchange.replay import Lived, Replay
from keepwarm.ledger.store import Ledger
from keepwarm.rules.shelf import Shelf
from keepwarm.shell.log_files import LogFiles
from keepwarm.views.report.printing import Wanted, print_report
from keepwarm.views.report.source import Source

_BATCH: Final = 100
"""Records that are written down before more are read: with their texts they take memory."""
_PATIENCE: Final = 600.0
"""Seconds for a batch."""


def report_logs(
    paths: list[Path],
    wanted: Wanted,
    console: Console,
    shelf: Shelf,
    applied: frozenset[str],
    ledger: Path | None = None,
) -> None:
    """The report of these files.

    shelf    the rule book; what it says of levels and switches changes nothing in what has happened
    applied  the rules that would be applied here
    ledger   where the ledger that is made of the log is kept; None: it is gone afterwards

    Raises LogError naming the file and line, LedgerError and ConfigError saying what to do.
    """
    if ledger is not None and ledger.exists():
        raise LedgerError(
            f"{ledger} is there already: with --log, --ledger names a new file for what is made of the log "
            "(a report of a ledger is made without --log)"
        )
    with tempfile.TemporaryDirectory(prefix="keepwarm-") as folder:
        path = ledger or Path(folder) / "log.sqlite"
        with Console(stderr=True).status("reading the log"):
            source = read_logs(paths, path, shelf, record=wanted.words, name=ledger.name if ledger else "")
        print_report(path, wanted, console, shelf.rules, applied, source=source)


def read_logs(paths: list[Path], path: Path, shelf: Shelf, *, record: bool = False, name: str = "") -> Source:
    """Make a ledger at `path` of these files.

    record  whether the texts of prompts are kept in it
    name    how the ledger is called where a reader may look into it; "" where none will
    """
    places: dict[str, str] = {}
    skipped: Counter[str] = Counter()
    begin = end = 0.0
    with LogFiles(paths) as files:
        replay, book = Replay(shelf, record=record), _Book(path)
        with contextlib.closing(book):
            for found in files.exchanges():
                begin, end = begin or found.exchange.at, found.exchange.at
                places[found.id] = found.place
                book.write(replay.play(found.id, found.exchange), skipped)
            book.write(replay.finish(), skipped)
        skipped += files.skipped
        if not book.count:
            raise LogError(_nothing(files.names, skipped))
        return Source(
            files.names,
            tuple(files.formats),
            begin,
            end + 1.0,
            book.count,
            tuple(skipped.most_common()),
            tuple(files.notes),
            places,
            name,
        )


class _Book:
    """The ledger while it is written: nothing is dropped, for there is no hurry."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._path = path
        self._ledger = Ledger(path)

    def write(self, lives: Iterable[Lived], skipped: Counter[str]) -> None:
        """Take down what has been lived."""
        for lived in lives:
            if lived.record is None:
                skipped[lived.refusal] += 1
                continue
            self._ledger.put(lived.record, lived.recording)
            self.count += 1
            if self.count % _BATCH == 0:
                self._settle()

    def close(self) -> None:
        """Write what is left."""
        self._ledger.close(_PATIENCE)
        self._check()

    def _settle(self) -> None:
        self._ledger.flush(_PATIENCE)
        self._check()

    def _check(self) -> None:
        if self._ledger.dropped:
            raise LedgerError(
                f"what is in the log cannot be written to {self._path} ({self._ledger.last_error}): name another file "
                "with --ledger, or another folder for what is temporary with TMPDIR"
            )


def _nothing(names: tuple[str, ...], skipped: Counter[str]) -> str:
    left = ", ".join(f"{number:,} {why}" for why, number in skipped.most_common())
    return f"there is no request of a model in {', '.join(names)} that could be read: {left or 'nothing at all'}"
