"""A report as one HTML file: no script, nothing loaded from anywhere, light and dark, and good on paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from keepwarm import __version__
from keepwarm.views import words
from keepwarm.views.report import charts, phrases
from keepwarm.views.report.figures import SESSIONS, Report
from keepwarm.views.report.style import STYLE
from keepwarm.views.report.texts import Excerpts

_CODE = re.compile(r"`([^`]+)`")


def page(report: Report, excerpts: Excerpts = ()) -> str:
    """The whole file.

    excerpts  words around the breaks of the worst requests, where they may be shown
    """
    title = escape(f"{phrases.TITLE}: {phrases.span(report)}")
    body = "\n".join(_body(report, excerpts))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="generator" content="keepwarm {escape(__version__)}">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _body(report: Report, excerpts: Excerpts) -> Iterator[str]:
    yield f'<h1>{phrases.TITLE}</h1><p class="about">{escape(phrases.about(report))}</p>'
    if log := phrases.source(report):
        yield f"<p>{escape(' '.join(log))}</p>"
    if not report.totals.requests:
        yield from (f"<p>{_coded(sentence)}</p>" for sentence in phrases.empty(report))
        return
    yield _figures(report)
    yield "<h2>What happened</h2>"
    yield f"<ul>{''.join(f'<li>{_coded(sentence)}</li>' for sentence in phrases.summary(report))}</ul>"
    if report.totals.hit_rate is not None:
        yield f"<figure>{charts.share_bar(report.totals)}{charts.legend()}</figure>"
    if len(report.buckets) > 1:
        told = f"Prompt tokens by steps of {_step(report.step)}."
        yield f"<figure>{charts.timeline(report.buckets, report.step)}<figcaption>{told}</figcaption></figure>"
    yield "<h2>What it cost</h2>"
    yield _table(("what", "how much"), phrases.costs(report), right=1)
    yield f'<p class="note">Basis: {escape(report.cost.basis)}.</p>'
    yield from _causes(report)
    yield from _comparison(report)
    yield "<h2>Sessions</h2>"
    if report.session_count > SESSIONS:
        yield f'<p class="note">The {SESSIONS} of {report.session_count:,} that lost most.</p>'
    yield _table(phrases.SESSION_HEADS, phrases.session_rows(report), right=3)
    yield from _worst(report, excerpts)
    yield "<h2>Words</h2><ul>"
    yield "".join(f"<li><b>{word}</b>: {meaning}</li>" for word, meaning in phrases.GLOSSARY) + "</ul>"


def _figures(report: Report) -> str:
    totals = report.totals
    shown = (
        ("hit rate", phrases.rate(totals)),
        ("requests", words.count(totals.requests)),
        ("reused", words.short(totals.cached_tokens)),
        ("processed", words.short(totals.processed_tokens)),
        ("again", words.short(totals.lost_tokens)),
        ("time lost", words.seconds(totals.lost_ms) if totals.lost_ms else "-"),
    )
    return f'<dl class="figures">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in shown)}</dl>'


def _causes(report: Report) -> Iterator[str]:
    yield "<h2>Causes, and what to change</h2>"
    if not report.causes:
        yield "<p>None: no request lost anything.</p>"
        return
    most = report.causes[0].lost_tokens
    rows = "".join(
        f"<tr><td>{escape(phrases.cause_name(one.code, one.advice.name))}</td>"
        f'<td class="number">{words.count(one.lost_tokens)}</td>'
        f'<td class="number">{words.share(one.lost_tokens, report.totals.lost_tokens)}</td>'
        f'<td class="number">{words.count(one.misses)}</td><td>{charts.lost_bar(one.lost_tokens, most)}</td></tr>'
        for one in report.causes
    )
    heads = (
        '<th scope="col">cause</th><th scope="col" class="number">tokens lost</th>'
        '<th scope="col" class="number">of all</th><th scope="col" class="number">requests</th><td></td>'
    )
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    for one in report.causes:
        name = escape(phrases.cause_name(one.code, one.advice.name))
        why = f"<p>{_coded(one.advice.why)}</p>" if one.advice.why else ""
        steps = "".join(f"<li>{_coded(step)}</li>" for step in one.advice.steps)
        yield f'<section class="cause"><h3>{name}</h3>{why}<p><b>What to change</b></p><ul>{steps}</ul></section>'


def _comparison(report: Report) -> Iterator[str]:
    yield "<h2>Before and after</h2>"
    comparison = report.comparison
    if comparison is None:
        yield "<p>The period does not have two sides: <code>--change</code> names a moment within it.</p>"
        return
    yield _table(("", "before", "after"), phrases.sides(comparison), right=1)
    yield f'<p class="claim {comparison.finding}">{escape(comparison.claim)}</p>'


def _worst(report: Report, excerpts: Excerpts) -> Iterator[str]:
    yield "<h2>The requests that lost most</h2>"
    if not report.worst:
        yield "<p>None lost anything.</p>"
        return
    rows = []
    for record in report.worst:
        *cells, command = phrases.worst_row(record, report.source)
        said = escape(words.clean(record.verdict.sentence)) if record.verdict is not None else ""
        for one in (one for one in excerpts if one.id == record.id):
            said += f"<pre>{escape(chr(10).join(one.lines()))}</pre>"
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f"<tr>{row}<td><code>{escape(command)}</code></td></tr>")
        if said:
            rows.append(f'<tr><td></td><td colspan="{len(cells)}">{said}</td></tr>')
    heads = "".join(f'<th scope="col">{head}</th>' for head in phrases.worst_heads(report.source))
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: int) -> str:
    """A table; the columns from `right` on are figures."""

    def cells(row: Sequence[str], form: str) -> str:
        return "".join(
            form.format(' class="number"' if place >= right else "", escape(cell)) for place, cell in enumerate(row)
        )

    head = cells(heads, '<th scope="col"{}>{}</th>').replace('<th scope="col"></th>', "<td></td>")
    body = "".join(f"<tr>{cells(row, '<td{}>{}</td>')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _coded(said: str) -> str:
    """Our own sentences, in which backticks stand around commands."""
    return _CODE.sub(r"<code>\1</code>", escape(said))


def _step(seconds: float) -> str:
    for size, name in ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return words.times(round(seconds / size), name)
    return words.times(round(seconds), "second")
