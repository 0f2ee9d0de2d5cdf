"""The sentences of a report that all its forms share."""

from __future__ import annotations

from typing import Final

from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import Sums
from keepwarm.views import words
from keepwarm.views.report.comparing import Comparison, Side
from keepwarm.views.report.figures import Report
from keepwarm.views.report.source import Source

TITLE: Final = "What the prefix cache did"
_FORM: Final = "%Y-%m-%d %H:%M"
GLOSSARY: Final = (
    ("reused", "tokens that the server found in its cache"),
    ("processed", "tokens that it prefilled"),
    ("again", "of these, the ones that it had processed before: what was lost"),
    ("hit rate", "reused / (reused + processed), over the requests whose server reports it"),
)


def span(report: Report) -> str:
    """The period: "2026-09-15 12:00 to 2026-09-22 12:00"."""
    asked = report.asked
    begin = words.moment(asked.since, _FORM) if asked.since > 0 else "the beginning"
    return f"{begin} to {words.moment(asked.until, _FORM)}"


def about(report: Report) -> str:
    """The line under the title."""
    of = f"session {words.clean(report.session)}, " if report.session else ""
    return f"{of}{span(report)}. Made by keepwarm on {words.moment(report.made_at, _FORM)}."


def empty(report: Report) -> tuple[str, ...]:
    """What is said of a period without requests."""
    said = [f"No request came from {span(report)}."]
    if (log := report.source) is not None:
        begin, end = (words.moment(at, _FORM) for at in (log.begin, log.end))
        return (*said, f"The log is about {begin} to {end}: leave `--since` and `--until` away for all of it.")
    if report.newest is None:
        said.append("The ledger has none: start `keepwarm serve`, and an agent on it with `keepwarm run claude`.")
    elif report.newest < report.asked.since:
        day = words.moment(report.newest, "%Y-%m-%d")
        said.append(f"The newest one in the ledger came on {day}: `keepwarm report --since {day}` shows that day.")
    else:
        said.append("Those in the ledger came after that: leave `--until` away, or look with `keepwarm log`.")
    return tuple(said)


def rate(sums: Sums) -> str:
    """A hit rate: "97.2%"."""
    return words.share(sums.cached_tokens, sums.cached_tokens + sums.processed_tokens)


def summary(report: Report) -> tuple[str, ...]:
    """The whole in a few sentences."""
    totals = report.totals
    known = totals.cached_tokens + totals.processed_tokens
    who = f"{words.times(totals.requests, 'request')} in {words.times(report.session_count, 'session')}"
    reused = f"{words.count(totals.cached_tokens)} of {words.times(known, 'prompt token')} ({rate(totals)})"
    said = [f"{who}: the server reused {reused}."]
    if totals.lost_tokens:
        took = f", which took {words.seconds(totals.lost_ms)}" if totals.lost_ms else ""
        said.append(
            f"{words.times(totals.lost_tokens, 'token')} had been processed before and were processed again{took}, "
            f"in {words.times(totals.misses, 'request')}."
        )
    else:
        said.append("Nothing was processed twice.")
    if totals.failed:
        look = "." if report.source is not None else ": `keepwarm log` names the errors."
        said.append(f"{words.times(totals.failed, 'request')} failed{look}")
    if totals.unreported:
        said.append(
            f"Of {words.times(totals.unreported, 'request')} no cached tokens are known: they are in no hit rate."
        )
    if totals.dropped:
        said.append(f"{words.times(totals.dropped, 'request')} could not be written down: {totals.drop_reason}.")
    return tuple(said)


def costs(report: Report) -> tuple[tuple[str, str], ...]:
    """(what, how much) of what it cost."""
    cost, totals = report.cost, report.totals
    rows = [
        ("prompt tokens processed", words.count(totals.processed_tokens)),
        ("of these, again", words.count(totals.lost_tokens)),
        ("time for what was processed again", words.seconds(totals.lost_ms) if totals.lost_ms else "not known"),
        ("server time (prefill and answers)", _seconds(cost.gpu_seconds)),
        ("server time that reuse saved", _seconds(cost.gpu_seconds_saved)),
    ]
    if cost.currency is not None:
        rows += [("money", money(cost.amount)), ("money that reuse saved", money(cost.saved))]
    if not totals.lost_tokens:
        del rows[2]
    return tuple(rows)


def _seconds(seconds: float) -> str:
    return words.seconds(seconds * 1000) if seconds else "not known"


def money(amount: float) -> str:
    """Dollars; four digits behind the point below one."""
    return f"{amount:,.2f} USD" if abs(amount) >= 1 else f"{amount:.4f} USD"


def cause_name(code: str, name: str) -> str:
    """ "VOL001 billing-header"; a loss that no rule knows has no code."""
    return f"{code} {name}" if code else "cause not known"


def sides(comparison: Comparison) -> tuple[tuple[str, str, str], ...]:
    """(figure, before, after)."""
    before, after = comparison.before, comparison.after
    return tuple(
        (name, figure(before), figure(after))
        for name, figure in (
            ("from", lambda side: words.moment(side.since, _FORM) if side.since > 0 else "the beginning"),
            ("requests", lambda side: words.count(side.sums.requests)),
            ("hit rate", lambda side: rate(side.sums)),
            ("processed a request", lambda side: _each(side, side.sums.processed_tokens)),
            ("again a request", lambda side: _each(side, side.sums.lost_tokens)),
            ("prefill a request", _prefill),
        )
    )


def _each(side: Side, tokens: int) -> str:
    known = side.sums.requests - side.sums.unreported
    return f"{tokens / known:,.0f}" if known else "-"


def _prefill(side: Side) -> str:
    known = side.sums.requests - side.sums.unreported
    return words.span(side.sums.prompt_ms / known) if known and side.sums.prompt_ms else "-"


def source(report: Report) -> tuple[str, ...]:
    """What is to be said of the log that it is made from; nothing for a gateway's ledger."""
    return report.source.sentences() if report.source is not None else ()


def worst_row(record: Record, log: Source | None = None) -> tuple[str, ...]:
    """(when, session, kind, reused of prompt, again, first token, cause, command or place in a log)."""
    verdict = record.verdict
    return (
        words.moment(record.at, "%m-%d %H:%M"),
        words.clean(record.session or record.lineage)[:8] or "-",
        record.kind or "-",
        f"{words.short(record.usage.cached_tokens)}/{words.short(record.usage.prompt_tokens)}",
        words.count(verdict.lost if verdict else 0),
        words.span(record.first_token_ms),
        words.clean(verdict.causes[0]) if verdict and verdict.causes else "-",
        log.where(record.id) if log is not None else f"keepwarm explain {words.clean(record.id)[:12]}",
    )


def worst_heads(log: Source | None = None) -> tuple[str, ...]:
    """What stands over each cell of `worst_row`."""
    last = "where" if log is not None and not log.ledger else "why"
    return ("when", "session", "kind", "reused", "again", "first token", "cause", last)


def called(record: Record, log: Source | None = None) -> str:
    """What a reader knows a request by: the beginning of its id, or its place in a log."""
    return words.clean(record.id)[:12] if log is None or log.ledger else log.where(record.id)


SESSION_HEADS: Final = ("session", "client", "model", "requests", "hit rate", "processed", "again", "last")


def session_rows(report: Report) -> tuple[tuple[str, ...], ...]:
    """A row of SESSION_HEADS for each."""
    return tuple(
        (
            words.clean(one.session.name)[:8],
            words.clean(one.session.client) or "-",
            words.clean(one.session.model) or "-",
            words.count(one.totals.requests),
            rate(one.totals),
            words.count(one.totals.processed_tokens),
            words.count(one.totals.lost_tokens),
            words.moment(one.session.last_at, "%m-%d %H:%M"),
        )
        for one in report.sessions
    )
