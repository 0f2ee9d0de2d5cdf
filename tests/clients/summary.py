"""The table of what the clients cost: printed when pytest ends, and written to build/client-costs.md.

A test hands in its line as a property, because with pytest-xdist it runs in another process than the one that prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

PROPERTY: Final = "client cost"
FILE: Final = Path(__file__).parents[2] / "build" / "client-costs.md"
_HEADINGS: Final = (
    "client",
    "template",
    "slots",
    "session",
    "requests",
    "prompt tokens",
    "ideal",
    "keepwarm",
    "of ideal",
    "straight",
    "of ideal",
)
_WORDS: Final = frozenset(("client", "template", "session"))
_LEGEND: Final = (
    "Tokens. ideal: each token of a conversation prefilled once; keepwarm: prefilled by the engine's own count; "
    "straight: the same session to the chat endpoint of the same llama.cpp, translated only where the client does not "
    "speak chat completions itself."
)


class Row(msgspec.Struct, frozen=True):
    """One line; a cell that was also played straight hands in two that are merged."""

    client: str
    template: str
    slots: int
    session: str
    requests: int
    prompt_tokens: int
    """What the requests would cost without any cache."""
    ideal: int
    prefilled: int | None = None
    """Through keepwarm."""
    straight: int | None = None
    """To the chat endpoint, translated only."""

    @property
    def cell(self) -> tuple[str, str, int, str]:
        """What was played."""
        return self.client, self.template, self.slots, self.session


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each cell; the figures of a cell are those of its way through keepwarm, where it was played."""
    found: dict[tuple[str, str, int, str], Row] = {}
    for row in sorted(rows, key=lambda row: row.prefilled is None):
        kept = found.setdefault(row.cell, row)
        if kept.straight is None and row.straight is not None:
            found[row.cell] = msgspec.structs.replace(kept, straight=row.straight)
    return sorted(found.values(), key=lambda row: (row.session, row.client, row.template, row.slots))


def markdown(rows: Iterable[Row]) -> str:
    """The table, its columns aligned so that it can be read as it is."""
    lines = [list(_HEADINGS), *(_line(row) for row in merged(rows))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = [heading in _WORDS for heading in _HEADINGS]
    rule = [("-" * width if word else "-" * (width - 1) + ":") for width, word in zip(widths, words, strict=True)]
    table = [
        "| "
        + " | ".join(t.ljust(w) if word else t.rjust(w) for t, w, word in zip(line, widths, words, strict=True))
        + " |"
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(table) + f"\n\n{_LEGEND}\n"


def _line(row: Row) -> list[str]:
    counts = [f"{number:,}" for number in (row.requests, row.prompt_tokens, row.ideal)]
    return [
        row.client,
        row.template,
        str(row.slots),
        row.session,
        *counts,
        *_against(row.prefilled, row.ideal, 4),
        *_against(row.straight, row.ideal, 2),
    ]


def _against(cost: int | None, ideal: int, digits: int) -> tuple[str, str]:
    return ("", "") if cost is None else (f"{cost:,}", f"{cost / ideal:.{digits}f}")


def handed_in(reports: Iterable[object]) -> list[Row]:
    """The rows among the properties of test reports."""
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    return [msgspec.convert(value, Row) for name, value in properties if name == PROPERTY]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table and writes the file, when a test of this run has handed in a row."""
    # A report stands under its outcome; set-up and tear-down repeat the properties, which merging takes care of.
    rows = handed_in(report for reports in terminalreporter.stats.values() for report in reports)
    if not rows:
        return
    text = markdown(rows)
    terminalreporter.section("what the clients cost")
    terminalreporter.write(text)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    terminalreporter.write_line(f"written to {FILE.relative_to(config.rootpath)}")
