"""
## What it does
Keeps a date or a time in the system prompt or in a tool's description at the value that the conversation saw first.
When it moves on, the new value is told once, in the newest turn.

## Why it costs you
A date in the head ticks over at midnight, a clock with each request, and everything behind it is prefilled again.

## Example
    request 7: Today's date is 2026-11-24.        request 8, after midnight: Today's date is 2026-11-25.

## What goes upstream instead
The head as it was, and behind the newest turn
`<system-reminder>This has changed: Today's date is 2026-11-25.</system-reminder>`. Chat templates that print a date of
their own (`strftime_now`) get the conversation's first date by `chat_template_kwargs.date_string`, where they take it;
for vLLM set `VLLM_SYSTEM_START_DATE`.

## When it is wrong to apply
When the head must name the hour of each request to the minute, and a reminder at the tail is not enough.

## Source
vLLM `entrypoints/harmony_utils.py`, badlogic/pi-mono#2013, open-webui/open-webui#28527, sst/opencode#5224; measured
with Claude Code 2.1.39, one of whose tool descriptions holds a date.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from keepwarm.core.clock import masked, spans
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Head, Notice, SystemBlock, Tool
from keepwarm.rules.api import HeadFix, Rule, Safety

_NOTE: Final = "as the conversation saw it first"


def freeze(head: Head, seen: Head | None) -> HeadFix:
    """`head` with its dates and times as in `seen`, and notices of what they are now."""
    if seen is None:
        return HeadFix(head)
    edits: list[Edit] = []
    notices: list[Notice] = []
    system = [_frozen_block(block, old, edits, notices) for block, old in zip(head.system, seen.system, strict=False)]
    before = {tool.name: tool for tool in seen.tools}
    tools = [_frozen_tool(tool, before.get(tool.name), edits, notices) for tool in head.tools]
    if not edits:
        return HeadFix(head)
    return HeadFix(Head((*system, *head.system[len(system) :]), tuple(tools)), tuple(edits), tuple(notices))


def _frozen_block(block: SystemBlock, old: SystemBlock, edits: list[Edit], notices: list[Notice]) -> SystemBlock:
    if block.text == old.text or masked(block.text) != masked(old.text):
        return block
    path = block.path
    edits.append(Edit("VOL003", path, block.text, old.text, _NOTE))
    notices.append(_notice(path, old.text, block.text))
    return structs.replace(block, text=old.text)


def _frozen_tool(tool: Tool, old: Tool | None, edits: list[Edit], notices: list[Notice]) -> Tool:
    if old is None or (tool.description == old.description and tool.schema == old.schema):
        return tool
    was, now = (f"{one.description}\n{one.schema.decode('utf-8', 'replace')}" for one in (old, tool))
    if masked(was) != masked(now):
        return tool
    path = f"/tools/{tool.index}"
    edits.append(Edit("VOL003", path, now, was, _NOTE))
    notices.append(_notice(path, was, now, f" of the tool {tool.name}"))
    return structs.replace(tool, description=old.description, schema=old.schema)


def _notice(path: str, was: str, now: str, of: str = "") -> Notice:
    """The lines that are new, or how they were: told once for each new value."""
    pairs = list(zip(was.splitlines(), now.splitlines(), strict=False))
    known, new = ("\n".join(row) for row in zip(*[pair for pair in pairs if pair[0] != pair[1]], strict=True))
    return Notice(f"clock {path}", _words(new, of), "VOL003", path, _words(known, of))


def _words(lines: str, of: str) -> str:
    return f"This has changed{of}: {lines.strip()}"


def in_clock(difference: Difference) -> bool:
    """Whether two texts part inside a date or a time."""
    return any(
        start <= difference.offset <= end
        for text in (difference.before, difference.after)
        for start, end in spans(text)
    )


def names(difference: Difference) -> bool:
    """True when the head parts inside a date or a time."""
    return difference.where in ("system", "tools") and difference.kind == "changed" and in_clock(difference)


RULE: Final = Rule("VOL003", "clock-in-head", Safety.MEANING, __doc__ or "", head=freeze, names=names)
