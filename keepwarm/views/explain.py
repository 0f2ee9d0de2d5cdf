"""`keepwarm explain`: one request in plain words.

What was reused and what was not, what could have been, each place that differs, whose fault it is, what keepwarm
changed, where the request was sent and why, how long it took, and what to do. Only what the ledger knows is said: a
server that reports nothing is said to report nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec
from rich.console import Console, Group, RenderableType
from rich.text import Text

from keepwarm.core.prompt import EditNote
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.views import log, words
from keepwarm.views.judged import say_verdict
from keepwarm.views.sheet import Sheet

TURNS_SHOWN = 8
"""Requests of the same conversation that are listed below."""
LATER_SHOWN = 2
"""Of these, at the most, behind the one that is explained."""
_ADVICE = {
    "gateway": "This is a fault of keepwarm: please report it with the output of  keepwarm explain {id} --json",
    "seat": "More slots than conversations at a time help (llama.cpp: --parallel N).",
    "server": "Look at the server's memory for caches and its log around this request.",
    "provider": "Nothing on this machine; ask again sooner, or pin the provider's replica.",
}
_TOLD_HOW = (
    "llama.cpp reports cached tokens by itself, vLLM with --enable-prompt-tokens-details, "
    "SGLang with --enable-cache-report."
)


class Answer(msgspec.Struct, frozen=True):
    """`keepwarm explain --json`."""

    request: Record
    previous: Record | None
    """The request before it in its conversation."""
    recorded: bool
    """Its texts are in the ledger."""


def explain(
    record: Record,
    previous: Record | None = None,
    lineage: Sequence[Record] = (),
    *,
    recorded: bool = False,
    ascii_only: bool = False,
) -> RenderableType:
    """The whole answer for a terminal.

    previous  the request before it in its conversation, when there is one
    lineage   requests of its conversation, oldest first: the ones around it are listed at the end
    recorded  its texts are in the ledger
    """
    sheet = Sheet(ascii_only)
    _say_reuse(sheet, record)
    say_verdict(sheet, record, previous, recorded)
    _say_edits(sheet, record)
    _say_seat(sheet, record)
    _say_times(sheet, record)
    _say_advice(sheet, record)
    parts: list[RenderableType] = [sheet.text(_title(record), "bold"), sheet.text(_heading(record), "dim")]
    if record.verdict is not None and record.verdict.sentence:
        parts += ["", sheet.text(words.clean(record.verdict.sentence))]
    parts += ["", sheet.table]
    turns = _around(record, lineage)
    if len(turns) > 1:
        parts += ["", sheet.text(f"Its conversation (turns {turns[0].turn} to {turns[-1].turn}):")]
        parts += [
            Text.assemble("> " if turn.id == record.id else "  ", log.line(turn, 78, ascii_only=ascii_only))
            for turn in turns
        ]
    return Group(*parts)


def print_explain(
    ledger_path: str | os.PathLike[str], which: str = "last", console: Console | None = None, as_json: bool = False
) -> None:
    """Explains the request whose id begins with `which`, or the newest for "last"; `as_json` prints an Answer.

    Raises LedgerError when there is no ledger, no such request, or several.
    """
    console = console or Console()
    with Query(ledger_path) as query:
        record = query.last() if which == "last" else query.by_id(which)
        if record is None:
            raise query.nothing_yet()
        previous = query.get(record.parent) if record.parent else None
        recorded = query.is_recorded(record.id)
        if as_json:
            answer = Answer(record, previous, recorded)
            text = msgspec.json.format(msgspec.json.encode(answer)).decode()
            console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)
            return
        lineage = query.around(record, TURNS_SHOWN, LATER_SHOWN) if record.lineage else ()
    ascii_only = console.options.ascii_only
    page = explain(record, previous, lineage, recorded=recorded, ascii_only=ascii_only)
    console.print(page, highlight=False)


def _title(record: Record) -> str:
    return f"Request {words.clean(record.id)} · {words.moment(record.at, '%Y-%m-%d %H:%M:%S %z')}"


def _heading(record: Record) -> str:
    kinds = {"main": "main conversation", "subagent": "sub-agent", "side": "side call"}
    ending = {"done": "done", "failed": "failed", "hung_up": "the client hung up"}
    parts = [
        record.client,
        f"session {record.session}" if record.session else "no session",
        f"{kinds.get(record.kind, record.kind)}{f' {record.agent}' if record.agent else ''}",
        f"turn {record.turn}" if record.turn else "",
        f"{record.model} on {record.upstream}" if record.upstream else record.model,
        f"{record.status}, {ending[record.ending]}",
    ]
    return " · ".join(words.clean(part) for part in parts if part)


def _say_reuse(sheet: Sheet, record: Record) -> None:
    prompt, cached = record.usage.prompt_tokens, record.usage.cached_tokens
    if record.error:
        sheet.say("Error", words.clean(record.error), "red")
    if cached is None:
        of = "" if prompt is None else f" The prompt had {words.times(prompt, 'token')}."
        sheet.say("Reused", f"Not known: the server reported no cached tokens for this request.{of}")
    elif prompt is None:
        sheet.say("Reused", f"{words.times(cached, 'token')}; how long the prompt was, the server did not report.")
    else:
        part = words.share(cached, prompt)
        sheet.say("Reused", f"{words.count(cached)} of {words.times(prompt, 'prompt token')} ({part}).")
        sheet.say("Processed", f"{words.times(max(0, prompt - cached), 'token')}.  {log.bar(record, 30)}")


def _say_edits(sheet: Sheet, record: Record) -> None:
    if not record.edits and record.sent_bytes:
        sheet.say("Changed", "Nothing: keepwarm sent what the client said.")
    grouped: dict[str, list[EditNote]] = {}
    for edit in record.edits:
        grouped.setdefault(edit.code, []).append(edit)
    for number, (code, edits) in enumerate(grouped.items()):
        sheet.say("" if number else "Changed", _group(code, edits))
        notes = dict.fromkeys(words.clean(edit.note) for edit in edits if edit.note)
        for note in list(notes)[:2]:
            sheet.say("", f"  {note}", "dim")
    for number, (name, value) in enumerate(record.metadata):
        sheet.say("" if number else "Lifted out", f"{words.clean(name)} = {words.clean(value)}")


def _group(code: str, edits: list[EditNote]) -> str:
    """ "VOL001 ×3 (exact): 210 characters out, 12 in; 2 stand since an earlier request; /system/0, ..."."""
    safety = "/".join(dict.fromkeys(words.clean(edit.safety) for edit in edits))
    out, into = sum(edit.removed for edit in edits), sum(edit.added for edit in edits)
    count = sum(edit.count for edit in edits)
    said = f"{words.clean(code)} ×{count} ({safety}): {words.times(out, 'character')} out, {words.count(into)} in"
    standing = sum(edit.count for edit in edits if edit.standing)
    if standing:
        said += f"; {words.count(standing)} of them stand since an earlier request"
    paths = list(dict.fromkeys(words.clean(edit.path) for edit in edits if edit.path))
    return f"{said}; at {', '.join(paths[:3])}{', …' if len(paths) > 3 else ''}" if paths else said


def _say_seat(sheet: Sheet, record: Record) -> None:
    if record.seat is None:
        sent = f"{words.clean(record.upstream) or 'the server'}, no seat chosen" if record.sent_bytes else "nowhere"
        sheet.say("Sent to", f"{sent}.")
        return
    slot = "a slot that the server chose" if record.seat.slot is None else f"slot {record.seat.slot}"
    where = f" of {words.clean(record.seat.replica)}" if record.seat.replica else ""
    why = f": {words.clean(record.seat.reason)}" if record.seat.reason else ""
    sheet.say("Sent to", f"{slot}{where}{why}")


def _say_times(sheet: Sheet, record: Record) -> None:
    usage = record.usage
    parts = [
        f"{name} {words.span(value)}"
        for name, value in (
            ("first byte", record.first_byte_ms),
            ("first token", record.first_token_ms),
            ("whole", record.total_ms),
            ("keepwarm's own work", record.overhead_ms),
        )
        if value is not None
    ]
    if parts:
        sheet.say("Time", ", ".join(parts))
    processed = usage.processed_tokens
    if usage.prompt_ms is not None:
        rate = ""
        if processed and usage.prompt_ms > 0:
            rate = f" ({words.times(processed, 'token')}, {processed / usage.prompt_ms * 1000:,.0f} a second)"
        sheet.say("", f"the server prefilled for {words.span(usage.prompt_ms)}{rate}")
    if usage.output_tokens is not None:
        took = f" in {words.span(usage.output_ms)}" if usage.output_ms is not None else ""
        sheet.say("", f"and wrote {words.times(usage.output_tokens, 'token')}{took}")
    sizes = (record.received_bytes, record.sent_bytes, record.answered_bytes)
    sheet.say("Bytes", "{} received, {} sent on, {} answered".format(*(words.count(size) for size in sizes)))


def _say_advice(sheet: Sheet, record: Record) -> None:
    """What to do, when there is something to do."""
    advice = []
    if record.usage.cached_tokens is None and record.ending == "done":
        advice.append(f"Have the server report cached tokens: {_TOLD_HOW}")
    verdict = record.verdict
    if verdict is not None:
        if verdict.lost or verdict.outcome in ("partial", "miss"):
            advice += [_ADVICE[verdict.blame].format(id=words.clean(record.id))] if verdict.blame in _ADVICE else []
        advice += [f"keepwarm rule {words.clean(code)}" for code in verdict.causes]
    for number, step in enumerate(advice):
        sheet.say("" if number else "What to do", step)


def _around(record: Record, lineage: Sequence[Record]) -> Sequence[Record]:
    """Up to TURNS_SHOWN requests of the conversation, this one among them and most of them before it."""
    places = [place for place, turn in enumerate(lineage) if turn.id == record.id]
    if not places:
        return ()
    end = min(len(lineage), places[0] + 1 + LATER_SHOWN)
    return lineage[max(0, end - TURNS_SHOWN) : end]
