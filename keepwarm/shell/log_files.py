"""Log files on disk: an index of their rows in the order of time, and each row when it is wanted.

A file of lines is read twice, once to know when each line happened and once in that order, and only the line that is at
work is in memory. A document (HAR) is in memory as a whole, once.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NamedTuple, Self

import msgspec

from keepwarm.codec.json_text import mended
from keepwarm.core import digest
from keepwarm.errors import LogError
from keepwarm.exchange.replay import unplayable
from keepwarm.logs import rows
from keepwarm.logs.api import Exchange, Unreadable
from keepwarm.logs.registry import accepted, read_row

_SAME: Final = 0.002
"""Seconds that the time of one exchange may differ in two logs: they round it."""


class _Row(NamedTuple):
    """Where a row that can be played is."""

    at: float
    file: int
    number: int
    """From 1."""
    start: int
    """Bytes into the file of lines."""
    size: int


class Found(msgspec.Struct, frozen=True):
    """One exchange, and where it stands."""

    id: str
    """24 hex digits of what it says: the same in each report of the same log."""
    exchange: Exchange
    place: str
    """ "session.har, entry 12"."""


class LogFiles:
    """The files, open. Use it with `with`."""

    def __init__(self, paths: list[Path]) -> None:
        """Reads each file once. Raises LogError naming the file and the line."""
        self.formats: list[str] = []
        """Of each file, what its rows are, in the order of the files."""
        self.skipped: Counter[str] = Counter()
        """Exchanges that are left out, by the reason."""
        self.notes: list[str] = []
        """What else is to be said of the files."""
        self._rows: list[_Row] = []
        self._units: list[str] = []
        self._names = _names(paths)
        self._stack = contextlib.ExitStack()
        self._lines: dict[int, BinaryIO] = {}
        self._elements: dict[int, list[msgspec.Raw]] = {}
        try:
            for number, path in enumerate(paths):
                self._index(number, path)
        except BaseException:  # whoever wanted the files learns of it
            self._stack.close()
            raise
        self._rows.sort(key=lambda row: row[:3])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, without their folders."""
        return tuple(self._names)

    def exchanges(self) -> Iterator[Found]:
        """Those that can be played, in the order in which they began; one that is there twice comes once."""
        seen: dict[bytes, float] = {}
        for row in self._rows:
            raw = self._row(row)
            _, exchange = read_row(raw)
            said = _said(exchange)
            if abs(seen.get(said, -1.0) - exchange.at) < _SAME:
                self.skipped["the same exchange once more"] += 1
                continue
            seen[said] = exchange.at
            name = digest.of_all((said, repr(exchange.at).encode())).hex()[:24]
            yield Found(name, exchange, f"{self._names[row.file]}, {self._units[row.file]} {row.number}")

    def _index(self, number: int, path: Path) -> None:
        name = self._names[number]
        try:
            file = self._stack.enter_context(path.open("rb"))
            document = rows.is_document(file.read(rows.HEAD), name)
            file.seek(0)
            if document:
                unit, found = rows.elements(file.read(), name)
                file.close()
                self._units.append(unit)
                self._elements[number] = found
                pairs: Iterator[tuple[bytes, int]] = ((bytes(raw), 0) for raw in found)
            else:
                self._units.append("line")
                self._lines[number] = file
                pairs = self._read_lines(file, name)
            self._take(number, pairs)
        except OSError as error:
            raise LogError(f"{path} cannot be read ({error.strerror or error}): name another file") from error

    def _read_lines(self, file: BinaryIO, name: str) -> Iterator[tuple[bytes, int]]:
        """Each line that says something, and where it begins; b"" for an empty one."""
        at = 0
        for count, line in enumerate(file, 1):
            start, at = at, at + len(line)
            row = line.removeprefix(rows.BOM) if count == 1 else line
            if row.strip() and not rows.is_json(mended(row)):
                if not line.endswith(b"\n") and count > 1:
                    self.notes.append(f"The last line of {name} (line {count}) is cut off: it is left out.")
                    return
                fault = "it is truncated" if not line.endswith(b"\n") else "it is not well-formed"
                raise rows.broken(name, row, fault, count)
            yield row.strip(), start + line.index(row.strip()) if row.strip() else start

    def _take(self, number: int, pairs: Iterator[tuple[bytes, int]]) -> None:
        """Note the rows of one file that can be played."""
        name, unit = self._names[number], self._units[number]
        formats: dict[str, None] = {}
        first = ""
        for count, (raw, start) in enumerate(pairs, 1):
            if not raw:
                continue
            try:
                form, exchange = read_row(raw)
            except Unreadable as error:
                first = first or f"{name}, {unit} {count}: {error}"
                self.skipped[str(error)] += 1
                continue
            formats[form.name] = None
            if reason := unplayable(exchange):
                self.skipped[reason] += 1
            else:
                self._rows.append(_Row(exchange.at, number, count, start, len(raw)))
        if not formats:
            told = first or f"{name}: there is no request in it"
            raise LogError(f"{told}.\nWhat is read (a log of any of these, whole):\n{accepted()}")
        self.formats.append(" and ".join(formats))

    def _row(self, row: _Row) -> bytes:
        if row.file in self._elements:
            return bytes(self._elements[row.file][row.number - 1])
        file = self._lines[row.file]
        file.seek(row.start)
        return file.read(row.size)


def _names(paths: list[Path]) -> list[str]:
    """What each file is called: its name, and a number where two have the same one."""
    names = [path.name or str(path) for path in paths]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def _said(exchange: Exchange) -> bytes:
    """A digest of what was asked and answered."""
    return digest.of_all((digest.of_text(exchange.path), digest.wire(exchange.body), digest.wire(exchange.answer)))
