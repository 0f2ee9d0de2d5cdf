"""The lines of `keepwarm top`: sessions and their agents, requests, and the words under them.

In a bar █ was reused, ▒ was processed although it had been processed before, ░ is new; of a session, all its requests
together. Everything fits 80 columns and reads without colour; a wider terminal gets longer bars and more columns.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from keepwarm.ledger.records import Record
from keepwarm.ledger.sessions import ConversationSums
from keepwarm.ledger.sums import Sums
from keepwarm.views import log, words
from keepwarm.views.top.ink import MARK, Paper
from keepwarm.views.top.picture import Row

NAME, _WIDE_NAME = 8, 13
"""Characters of a session's name that are shown."""
CLIENT: Final = 18
_BAR, _LONGEST_BAR = 10, 30
_WIDE: Final = 110
"""From this width on, a session's client has a column and verdicts are sentences."""
_BESIDES: Final = 49
"""Columns of a session's line beside its bar, its client and its verdict."""
_COLOURS: Final = {"hit": "green", "first": "cyan", "partial": "yellow", "miss": "red", "unknown": "dim"}
_SHORT_KINDS: Final = {"main": "main", "subagent": "sub", "side": "side"}
_LIMITS: Final = ((0.8, "green"), (0.6, "yellow"), (0.0, "red"))
"""From which hit rate on a session is shown in which colour: as the alerts have it."""


def session_heading(paper: Paper, more: int = 0) -> Text:
    """The names of the columns over the sessions; `more` are not listed."""
    room, name = _bar_room(paper), _name_room(paper)
    client = f"{'client':<{CLIENT}} " if paper.width >= _WIDE else ""
    row = f"{'session':<{name}} {client}{'ags':>3} {'reqs':>5} {'prompt':>6} {'reused':<{room}} {'hit':>6} {'1st':>5}"
    told = f" (+{more}: / filters)" if more else ""
    return paper.line((f"{'':{len(MARK)}}{row} {'tok/s':>5} last verdict{told}", "bold"))


def session_line(row: Row, paper: Paper) -> Text:
    """A session, or one of its conversations, in one line."""
    sums, room, width = row.sums.sums, _bar_room(paper), _name_room(paper)
    name = words.clean(row.name)[:width]
    client, agents = "", "-"
    if isinstance(row.sums, ConversationSums):
        agent = _SHORT_KINDS.get(row.sums.kind, row.sums.kind)[:4]
        name = f" {agent} {words.clean(row.sums.agent or row.sums.lineage)}"[:width]
    else:
        client, agents = words.clean(row.sums.client), words.short(row.sums.conversations)[:3]
    rate = hit_rate(sums)
    cells: list[str | tuple[str, str]] = [f"{name:<{width}} "]
    if paper.width >= _WIDE:
        cells.append((f"{client[:CLIENT]:<{CLIENT}} ", "dim"))
    last = row.last
    prompt = last.usage.prompt_tokens if last is not None else None
    whole = sums.cached_tokens + sums.processed_tokens
    cells += [
        f"{agents:>3} {words.short(sums.requests):>5} {words.short(prompt):>6} ",
        log.drawn(whole, sums.cached_tokens, sums.lost_tokens, room) + " ",
        (f"{rate:>6} ", rate_style(sums)),
        f"{words.span(last.first_token_ms if last else None):>5} {speed(last):>5} ",
        _said(last, paper),
    ]
    return _tinted(Paper(paper.width - len(MARK), paper.ascii_only).line(*cells))


def request_heading(paper: Paper) -> Text:
    """The names of the columns over the requests."""
    return paper.line((f"{'':{len(MARK)}}{log.heading(paper.width - len(MARK))}", "bold"))


def request_line(record: Record, paper: Paper) -> Text:
    """A request in one line: as `keepwarm log` has it."""
    return _tinted(log.line(record, paper.width - len(MARK), ascii_only=paper.ascii_only))


def why(record: Record | None, paper: Paper) -> Text:
    """The verdict of a request in words."""
    if record is None:
        return paper.line("")
    verdict = record.verdict
    said = verdict.sentence if verdict is not None else ""
    said = said or (words.clean(record.error) if record.error else "No verdict: the request did not get that far.")
    return paper.line((words.clean(record.id)[: log.ID] + " ", "bold"), said)


def hit_rate(sums: Sums) -> str:
    """The share reused, as the ledger's sums have it; "-" when nothing was reported."""
    return words.share(sums.cached_tokens, sums.cached_tokens + sums.processed_tokens)


def rate_style(sums: Sums) -> str:
    """The colour of a hit rate."""
    rate = sums.hit_rate
    return "dim" if rate is None else next(style for limit, style in _LIMITS if rate >= limit)


def speed(record: Record | None) -> str:
    """Tokens of the answer a second, as the server measures it or from the first token to the end; "-" if unknown."""
    if record is None or not record.usage.output_tokens:
        return "-"
    took = record.usage.output_ms
    if took is None and record.total_ms is not None and record.first_token_ms is not None:
        took = record.total_ms - record.first_token_ms
    if not took or took < 0.01:
        return "-"
    rate = record.usage.output_tokens / took * 1000
    return f"{rate:.1f}" if rate < 999.95 else words.short(int(rate))


def _tinted(line: Text) -> Text:
    """The bar in colours: what was lost is seen at once."""
    line.highlight_regex("█+", "green")
    line.highlight_regex("▒+", "red")
    line.highlight_regex("░+", "dim")
    return line


def _said(record: Record | None, paper: Paper) -> tuple[str, str]:
    """The last verdict: in a sentence where there is room for one."""
    if record is None:
        return "-", "dim"
    said, style = log.outcome(record)
    if record.verdict is not None and record.verdict.sentence and paper.width >= _WIDE and record.ending == "done":
        said = record.verdict.sentence
    return said, style


def _name_room(paper: Paper) -> int:
    return _WIDE_NAME if paper.width >= _WIDE else NAME


def _bar_room(paper: Paper) -> int:
    return max(_BAR, min(_LONGEST_BAR, (paper.width - _BESIDES) // 5))
