"""The head of `keepwarm top`: the server, the sums, the slots, what runs now, and the alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from rich.text import Text

from keepwarm.ledger.sums import Totals
from keepwarm.views import log, words
from keepwarm.views.alerts import Alert
from keepwarm.views.answers import Live, Running, SlotFacts
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.lines import hit_rate, rate_style
from keepwarm.views.top.picture import PERIODS, Picture

_PREFILL_BAR: Final = 12
_SHORT_KINDS: Final = {"main": "main", "subagent": "sub", "side": "side"}


class Gateway(msgspec.Struct, frozen=True):
    """What was heard of the gateway."""

    url: str
    live: Live | None = None
    """None while it does not answer."""
    trouble: str = ""
    """Why it does not."""


class Room(msgspec.Struct, frozen=True):
    """How many lines each part may take."""

    slots: int
    running: int
    alerts: int


def room(height: int) -> Room:
    """What a screen of so many lines has to give."""
    return Room(1, 2, 2) if height < 30 else Room(2, 4, 4) if height < 50 else Room(4, 8, 6)


def head(
    picture: Picture, gateway: Gateway, alerts: Sequence[Alert], paper: Paper, height: int, ledger: str = ""
) -> list[Text]:
    """All lines of the head.

    alerts  newest first
    ledger  the file that is shown, to say it when the gateway writes another one
    """
    limits, live = room(height), gateway.live
    lines = [_title(picture, gateway, paper), _server(gateway, paper), sums_line(picture, paper)]
    if live is not None:
        lines += _labelled("slots", paper, [_slot(slot, paper) for slot in live.slots], limits.slots)
        lines += [_running(one, picture.at, paper) for one in live.running[: limits.running]]
        if len(live.running) > limits.running:
            lines.append(paper.line((f"       and {len(live.running) - limits.running} more requests run", "dim")))
        if ledger and live.ledger.path and live.ledger.path != ledger:
            told = f"the gateway writes another ledger, {live.ledger.path}: look at it with --ledger"
            lines.append(paper.line(("! ", "bold yellow"), (told, "yellow")))
    totals = picture.totals
    if totals is not None and totals.dropped:
        told = f"{words.times(totals.dropped, 'request')} could not be written down: {totals.drop_reason}"
        lines.append(paper.line(("! ", "bold yellow"), (told, "yellow")))
    return lines + [_alert(one, paper) for one in alerts[: limits.alerts]]


def sums_line(picture: Picture, paper: Paper) -> Text:
    """The sums of the period in one line."""
    totals = picture.totals
    if totals is None:
        return paper.line("")
    known = totals.cached_tokens + totals.processed_tokens
    parts: list[str | tuple[str, str]] = [
        (f"{PERIODS[picture.period][0]:<6} ", "bold"),
        f"{words.times(totals.requests, 'request')}, ",
        (hit_rate(totals), rate_style(totals)),
        f" reused ({words.short(totals.cached_tokens)} of {words.short(known)}), ",
        f"{words.short(totals.lost_tokens)} again{_lost_time(totals)}",
    ]
    if totals.failed:
        parts.append((f", {totals.failed:,} failed", "red"))
    if totals.unreported:
        parts.append((f", {totals.unreported:,} not reported", "dim"))
    return paper.line(*parts)


def _lost_time(totals: Totals) -> str:
    return f" ({words.span(totals.lost_ms)})" if totals.lost_ms else ""


def _title(picture: Picture, gateway: Gateway, paper: Paper) -> Text:
    clock = words.moment(picture.at, "%H:%M:%S")
    told = f"gateway {gateway.url}" if gateway.live is not None else f"no gateway at {gateway.url}"
    shown = f"only {words.clean(picture.session)[:8]}" if picture.session else ""
    shown = shown or (f"filter {picture.words}" if picture.words else "")
    left = paper.line(("keepwarm top  ", "bold"), (told, "" if gateway.live else "yellow"))
    right = paper.line((f"{shown}  " if shown else "", "bold magenta"), (clock, "dim"))
    left.truncate(max(0, paper.width - right.cell_len - 2), overflow="crop")
    gap = max(1, paper.width - left.cell_len - right.cell_len)
    return paper.line(left, " " * gap, right)


def _server(gateway: Gateway, paper: Paper) -> Text:
    live = gateway.live
    if live is None:
        why = gateway.trouble or "the live part is not there; it comes with  keepwarm serve"
        return paper.line(("server ", "bold"), (why, "dim"))
    server = live.upstream
    if not server.kind:
        return paper.line(
            ("server ", "bold"), (f"{server.url} has not answered yet: start it, it is looked for", "yellow")
        )
    told = f"{server.kind} {server.url}"
    told += f", {server.model}" if server.model else ""
    if server.slots:
        told += f", {words.times(server.slots, 'slot')}"
        told += f" of {words.short(server.context)} tokens" if server.context else ""
    return paper.line(("server ", "bold"), told)


def _labelled(label: str, paper: Paper, cells: list[Text], most: int) -> list[Text]:
    """Cells in lines, the first of them behind a label."""
    wide = Paper(paper.width - 7, paper.ascii_only)
    lines = wide.flow(cells, most)
    return [paper.line((f"{label if not number else '':<7}", "bold"), line) for number, line in enumerate(lines)]


def _alert(alert: Alert, paper: Paper) -> Text:
    return paper.line(("! ", "bold yellow"), (words.moment(alert.at, "%H:%M "), "dim"), (alert.words, "yellow"))


def _slot(slot: SlotFacts, paper: Paper) -> Text:
    """ "0 3fa8 main 20.4k", a busy one with a star; "1 free"."""
    busy = "*" if slot.busy else " "
    if not slot.lineage and not slot.busy:
        return paper.line((f"{slot.slot}{busy}", "bold"), ("free", "dim"))
    name = slot.session[:4] or ("" if slot.lineage == "side" else slot.lineage[:4])
    kind = _SHORT_KINDS.get(slot.kind, slot.kind)
    said = " ".join(part for part in (name, kind, words.short(slot.tokens) if slot.tokens else "") if part)
    return paper.line((f"{slot.slot}{busy}", "bold"), (said, "cyan" if slot.busy else ""))


def _running(one: Running, now: float, paper: Paper) -> Text:
    """A request that runs: how far its prefill has come, or for how long it has been running."""
    took = words.span(max(0.0, now - one.since) * 1000) if one.since else "-"
    who = f"{one.call[: log.ID]} {one.session[:4] or '-'} {_SHORT_KINDS.get(one.kind, one.kind):<4} "
    done = one.progress
    if one.phase == "generating":
        of = f" after a prompt of {words.short(done.total)}" if done is not None else ""
        return paper.line(("now    ", "bold"), who, (f"answers{of}, {took}", "dim"))
    if done is None or done.total <= 0:
        said = "prefill" if one.phase == "prefill" else "waits for a slot"
        return paper.line(("now    ", "bold"), who, (f"{said}, {took}", "dim"))
    width = max(_PREFILL_BAR, min(40, paper.width - 68))
    drawn = prefill_bar(done.processed, done.cached, done.total, width)
    share = words.share(done.processed, done.total)
    counts = f"{words.short(done.processed)}/{words.short(done.total)}"
    return paper.line(("now    ", "bold"), who, "prefill ", (drawn, "cyan"), f" {share} {counts} tokens, {took}")


def prefill_bar(processed: int, cached: int, total: int, width: int) -> str:
    """A prefill as a bar: █ was reused, ▒ has been processed, ░ is still to come."""
    done = min(width, round(width * processed / total))
    reused = min(done, round(width * cached / total))
    return "█" * reused + "▒" * (done - reused) + "░" * (width - done)
