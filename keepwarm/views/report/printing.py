"""`keepwarm report`: a short page on the terminal, or the whole as a file."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.text import Text

from keepwarm.errors import ConfigError
from keepwarm.ledger.query import Query
from keepwarm.rules.api import Rule
from keepwarm.views import words
from keepwarm.views.report import phrases
from keepwarm.views.report.figures import Asked, Report, read
from keepwarm.views.report.markdown import markdown
from keepwarm.views.report.page import page
from keepwarm.views.report.period import moment
from keepwarm.views.report.source import Source
from keepwarm.views.report.texts import excerpts
from keepwarm.views.sheet import Sheet

_WEEK: Final = "7d"


class Wanted(msgspec.Struct, frozen=True):
    """What was said on the command line."""

    since: str = ""
    """"" for a week, and for all of a log."""
    until: str = ""
    session: str = ""
    change: str = ""
    words: bool = False
    """Recorded words may stand in it."""
    html: Path | None = None
    markdown: Path | None = None
    """`-` for the terminal or the pipe."""
    out: Path | None = None
    """A file of either kind, as its name says."""


def print_report(
    ledger: Path,
    wanted: Wanted,
    console: Console,
    rules: Mapping[str, Rule],
    applied: frozenset[str],
    now: float | None = None,
    source: Source | None = None,
) -> None:
    """Writes the files that are wanted, or prints the short page where none is.

    rules    the rule book
    applied  the rules that are switched on here
    now      Unix seconds; the clock when None
    source   the log that the ledger was made of; None for a gateway's own

    Raises LedgerError and ConfigError saying what to do.
    """
    now = time.time() if now is None else now
    asked, html, md = _asked(wanted, now, source), wanted.html, wanted.markdown
    if wanted.out is not None:
        html, md = _by_name(wanted.out, html, md)
    with Query(ledger) as query:
        report = read(query, asked, now, rules, applied, source)
        said = excerpts(query, report.worst) if asked.words else ()
    if html is not None:
        _write(html, page(report, said), console)
    if md is not None:
        _write(md, markdown(report, said), console)
    if html is None and md is None:
        _print(report, console)


def _by_name(out: Path, html: Path | None, md: Path | None) -> tuple[Path | None, Path | None]:
    """The two files, with `out` as the one that its ending says."""
    if out.suffix.lower() in (".html", ".htm"):
        return out, md
    if out.suffix.lower() in (".md", ".markdown"):
        return html, out
    raise ConfigError(f"{out} ends in neither .html nor .md: say which with --html or --markdown")


def _asked(wanted: Wanted, now: float, source: Source | None) -> Asked:
    now = source.end if source is not None else now  # a log is looked back on from its end
    begin = source.begin if source is not None else moment(_WEEK, now, "--since")
    since = moment(wanted.since, now, "--since") if wanted.since else begin
    until = moment(wanted.until, now, "--until") if wanted.until else now
    if until <= since:
        raise ConfigError("--until must be later than --since")
    change = moment(wanted.change, now, "--change") if wanted.change else None
    if change is not None and not since < change < until:
        raise ConfigError("--change must lie between --since and --until: give an earlier --since")
    return Asked(since, until, wanted.session, change, wanted.words)


def _write(path: Path, text: str, console: Console) -> None:
    if str(path) == "-":
        console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True, end="")
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): name another file") from error
    console.print(f"written: {path}", markup=False, highlight=False, soft_wrap=True)


def _print(report: Report, console: Console) -> None:
    """What matters, on one screen."""
    sheet = Sheet(console.options.ascii_only)
    console.print(sheet.text(f"{phrases.TITLE}: {phrases.span(report)}", "bold"))
    if not report.totals.requests:
        for sentence in (*phrases.source(report), *phrases.empty(report)):
            console.print(sheet.text(_plain(sentence)), highlight=False)
        return
    for number, sentence in enumerate(phrases.source(report)):
        sheet.say("" if number else "Log", sentence)
    for number, sentence in enumerate(phrases.summary(report)):
        sheet.say("" if number else "Happened", _plain(sentence))
    for number, (what, much) in enumerate(phrases.costs(report)):
        sheet.say("" if number else "Cost", f"{what}: {much}")
    for number, cause in enumerate(report.causes[:5]):
        name = phrases.cause_name(cause.code, cause.advice.name)
        lost = words.times(cause.lost_tokens, "token")
        sheet.say("" if number else "Causes", f"{name}: {lost} in {words.times(cause.misses, 'request')}")
        sheet.say("", f"  {_plain(cause.advice.steps[0])}", "dim")
    if report.comparison is not None:
        before, after = report.comparison.before, report.comparison.after
        split = words.moment(after.since, "%Y-%m-%d %H:%M")
        sheet.say("Compared", f"hit rate {phrases.rate(before.sums)} before {split}, {phrases.rate(after.sums)} after")
        sheet.say("", report.comparison.claim, "dim")
    for number, record in enumerate(report.worst[:3]):
        at, _, _, reused, again, _, code, command = phrases.worst_row(record, report.source)
        sheet.say("" if number else "Worst", f"{at}  {reused} reused, {again} again, {code}: {command}")
    console.print(sheet.table, highlight=False)
    log = (
        "".join(f" --log {shlex.quote(words.clean(name))}" for name in report.source.files)
        if report.source is not None
        else ""
    )
    more = f"\nThe whole: keepwarm report{log} --html report.html   or   --markdown report.md"
    console.print(Text(more, "dim"), highlight=False)


def _plain(said: str) -> str:
    return said.replace("`", "")
