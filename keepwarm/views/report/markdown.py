"""A report as Markdown: for an issue, a wiki, a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from keepwarm.views import words
from keepwarm.views.report import phrases
from keepwarm.views.report.figures import SESSIONS, Report
from keepwarm.views.report.texts import Excerpts


def markdown(report: Report, excerpts: Excerpts = ()) -> str:
    """The whole report.

    excerpts  words around the breaks of the worst requests, where they may be shown
    """
    return "\n".join(_lines(report, excerpts)) + "\n"


def _lines(report: Report, excerpts: Excerpts) -> Iterator[str]:
    yield f"# {phrases.TITLE}"
    yield ""
    yield _text(phrases.about(report))
    yield ""
    for sentence in phrases.source(report):
        yield f"- {_text(sentence)}"
    if report.source is not None:
        yield ""
    if not report.totals.requests:
        yield from phrases.empty(report)
        return
    yield "## What happened"
    yield ""
    for sentence in phrases.summary(report):
        yield f"- {sentence}"
    yield ""
    yield "; ".join(f"*{word}*: {meaning}" for word, meaning in phrases.GLOSSARY) + "."
    yield ""
    yield "## What it cost"
    yield ""
    yield from _table(("", ""), phrases.costs(report), right=1)
    yield ""
    yield f"Basis: {_text(report.cost.basis)}."
    yield from _causes(report)
    yield from _comparison(report)
    yield from _sessions(report)
    yield from _worst(report, excerpts)


def _causes(report: Report) -> Iterator[str]:
    yield ""
    yield "## Causes, and what to change"
    yield ""
    if not report.causes:
        yield "None: no request lost anything."
        return
    rows = (
        (
            phrases.cause_name(one.code, one.advice.name),
            words.count(one.lost_tokens),
            words.share(one.lost_tokens, report.totals.lost_tokens),
            words.count(one.misses),
        )
        for one in report.causes
    )
    yield from _table(("cause", "tokens lost", "of all", "requests"), rows, right=1)
    for one in report.causes:
        yield ""
        yield f"### {_text(phrases.cause_name(one.code, one.advice.name))}"
        yield ""
        if one.advice.why:
            yield one.advice.why
            yield ""
        for step in one.advice.steps:
            yield f"- {step}"


def _comparison(report: Report) -> Iterator[str]:
    yield ""
    yield "## Before and after"
    yield ""
    comparison = report.comparison
    if comparison is None:
        yield "The period does not have two sides: `--change` names a moment within it."
        return
    yield from _table(("", "before", "after"), phrases.sides(comparison), right=1)
    yield ""
    yield f"**{comparison.claim}**"


def _sessions(report: Report) -> Iterator[str]:
    yield ""
    yield "## Sessions"
    yield ""
    if report.session_count > SESSIONS:
        yield f"The {SESSIONS} of {report.session_count:,} that lost most."
        yield ""
    yield from _table(phrases.SESSION_HEADS, phrases.session_rows(report), right=3)


def _worst(report: Report, excerpts: Excerpts) -> Iterator[str]:
    yield ""
    yield "## The requests that lost most"
    yield ""
    if not report.worst:
        yield "None lost anything."
        return
    rows = ((*row[:-1], f"`{row[-1]}`") for row in (phrases.worst_row(one, report.source) for one in report.worst))
    yield from _table(phrases.worst_heads(report.source), rows, code=True)
    for record in report.worst:
        if record.verdict is not None and record.verdict.sentence:
            yield ""
            yield f"`{phrases.called(record, report.source)}`: {_text(record.verdict.sentence)}"
            for excerpt in (one for one in excerpts if one.id == record.id):
                yield ""
                yield "```diff"
                yield from excerpt.lines()
                yield "```"


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], right: int | None = None, code: bool = False
) -> Iterator[str]:
    """A table; the columns from `right` on are figures."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "|".join("---:" if right is not None and place >= right else "---" for place in range(len(heads))) + "|"
    for row in rows:
        yield f"| {' | '.join(cell if code else _text(cell) for cell in row)} |"


def _text(said: str) -> str:
    """Words from outside: they make no table, no link and no markup."""
    said = words.clean(said)
    for sign in "\\|`*_[]<>":
        said = said.replace(sign, f"\\{sign}")
    return said
