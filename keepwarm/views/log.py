"""`keepwarm log`: one line a request.

    time     id     sess kind turn reused    cached/all   1st verdict
    11:26:03 5f0c2a 3fa8 main   12 ████▒░░░ 20.1k/40.9k  3.1s partial client VOL001

In the bar █ was reused, ▒ was processed although it had been processed before, ░ is new. What a server does not
report is "-" and an empty bar, never 0. All of it fits 80 columns and reads without colour.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from keepwarm.core.events import Progress
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.views import words

BAR = 8
_SHORTEST_BAR = 4
ID = 6
"""Characters of an id that are shown; `keepwarm explain` takes them."""
_MODEL = 16
_WIDE = 110
"""From this width on, the model has a column."""
_BESIDES_BAR = 72
"""Columns that all but the bar want; the bar takes what is left, up to its whole width."""
_POLL_SECONDS = 0.25
_COLOURS = {"hit": "green", "first": "cyan", "partial": "yellow", "miss": "red", "unknown": "dim"}
_KINDS = {"main": "main", "subagent": "sub", "side": "side"}


def heading(width: int = 80) -> str:
    """The names of the columns."""
    return _row(width, ("time", "id", "sess", "kind", "turn", "model", "reused", "cached/all", "1st", "verdict"))


def line(record: Record, width: int = 80, colour: bool = True, ascii_only: bool = False) -> Text:
    """One request in one line of at most `width` columns."""
    said, style = outcome(record)
    cells = (
        words.moment(record.at, "%H:%M:%S"),
        words.clean(record.id)[:ID],
        words.clean(record.session)[:4] or "-",
        _KINDS.get(record.kind, record.kind)[:4],
        str(record.turn or "-"),
        words.clean(record.model)[:_MODEL],
        bar(record, max(_SHORTEST_BAR, min(BAR, width - _BESIDES_BAR))),
        f"{words.short(record.usage.cached_tokens)}/{words.short(record.usage.prompt_tokens)}",
        words.span(record.first_token_ms),
        "",
    )
    row = _row(width, cells)
    text = Text(no_wrap=True)
    for part, its_style in ((row[:8], "dim"), (row[8:], ""), (said, style)):
        text.append(words.ascii_only(part) if ascii_only else part, its_style if colour else "")
    text.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return text


def progress(call: str, done: Progress) -> str:
    """How far a long prefill has come, for the same column of lines."""
    share = words.share(done.processed, done.total)
    counts = f"{words.short(done.processed)}/{words.short(done.total)}"
    return f"{'':8} {words.clean(call)[:ID]} prefill {share}, {counts} tokens, {words.span(done.ms)} so far"


def bar(record: Record, width: int = BAR) -> str:
    """The prompt as a bar: reused, processed again, new; blank when the server does not report."""
    return drawn(
        record.usage.prompt_tokens, record.usage.cached_tokens, record.verdict.lost if record.verdict else 0, width
    )


def drawn(prompt: int | None, cached: int | None, lost: int, width: int) -> str:
    """The same of any such tokens: those of one request, or of many together."""
    if not prompt or cached is None:
        return " " * width
    # A cell shows what stands at its middle; what there is at all has a cell, unless the bar is too short for it.
    reused = min(width, max(1 if cached else 0, round(width * cached / prompt)))
    if cached < prompt:
        reused = min(reused, width - 1)
    again = min(width - reused, max(1 if lost else 0, round(width * lost / prompt)))
    return "█" * reused + "▒" * again + "░" * (width - reused - again)


def print_log(
    ledger_path: str | os.PathLike[str],
    follow: bool = False,
    limit: int = 20,
    session: str | None = None,
    console: Console | None = None,
    wait: Callable[[], bool] | None = None,
) -> None:
    """Prints the newest `limit` requests, oldest first; with `follow` also each one to come, until interrupted.

    session  only this one (the beginning of its name)
    wait     called between two looks for news; False ends the following

    Raises LedgerError when there is no ledger or nothing in it to show.
    """
    console = console or Console()
    with Query(ledger_path) as query:
        seen = query.end()
        records = query.page(before=seen + 1, limit=limit, session=session).records
        if not records and not follow:
            raise query.nothing_yet()
        printer = _Printer(console)
        for record in reversed(records):
            printer.show(record)
        if not follow:
            _tell_drops(query, console)
            return
        change = -1
        try:
            while True:
                # Another process writes: SQLite has a number to look at and no event to wait for.
                if change != (change := query.change()):
                    news = query.follow(seen, session=session)
                    while news.records:
                        for record in news.records:
                            printer.show(record)
                        seen = news.seen
                        news = query.follow(seen, session=session)
                if not (wait or _pause)():
                    return
        except KeyboardInterrupt:
            return


class _Printer:
    """Prints lines under a heading and, when the day changes, its date."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = console.options.ascii_only
        self._day = ""

    def show(self, record: Record) -> None:
        width = max(40, self._console.width)
        day = words.moment(record.at, "%Y-%m-%d")
        if not self._day:
            self._print(Text(heading(width), style="bold"))
        if day != self._day:
            self._print(Text(day, style="dim"))
            self._day = day
        self._print(line(record, width, ascii_only=self._ascii))

    def _print(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, crop=False, overflow="ignore", highlight=False)


def _tell_drops(query: Query, console: Console) -> None:
    totals = query.totals()
    if totals.dropped:
        told = f"{words.times(totals.dropped, 'request')} could not be written down; last reason: {totals.drop_reason}"
        console.print(Text(words.ascii_only(told) if console.options.ascii_only else told, style="yellow"))


def _pause() -> bool:
    time.sleep(_POLL_SECONDS)
    return True


def _row(width: int, cells: Sequence[str]) -> str:
    at, name, session, kind, turn, model, drawn, tokens, first, said = cells
    row = [f"{at:<8}", f"{name:<{ID}}", f"{session:<4}", f"{kind:<4}", f"{turn:>4}"]
    if width >= _WIDE:
        row.append(f"{model:<{_MODEL}}")
    if (room := min(BAR, width - _BESIDES_BAR)) >= _SHORTEST_BAR:
        row.append(f"{drawn[:room]:<{room}}")
    return " ".join([*row, f"{tokens:>11}", f"{first:>5}", said])


def outcome(record: Record) -> tuple[str, str]:
    """The last column and its style: the error when there is one, else the verdict, whose fault, which cause."""
    if record.ending == "failed" or record.status >= 400:
        return f"{record.status} {words.clean(record.error) or 'failed'}", "bold red"
    hung_up = "hung up" if record.ending == "hung_up" else ""
    verdict = record.verdict
    if verdict is None:
        return hung_up or "-", "dim"
    said = [verdict.outcome, "" if verdict.blame == "nobody" else verdict.blame, *verdict.causes[:1], hung_up]
    return " ".join(words.clean(word) for word in said if word), _COLOURS[verdict.outcome]
