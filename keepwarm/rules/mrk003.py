"""
## What it does
Marks the prompt for providers that keep only what is marked, where the caller marks nothing, or where a turn is so long
that the marker behind it does not find the one before.

## Why it costs you
A provider with explicit breakpoints keeps nothing that is not marked: without one the whole conversation is billed in
full with each request. And from a marker it looks back over 20 blocks at most. A turn with eleven parallel tool calls
has 22, so the next request finds no entry and writes the whole prefix anew, at 1.25 times its price.

## Example
    request 8 is marked at its end; request 9 has 24 blocks more and is marked at its end: cache_read_input_tokens 0

## What goes upstream instead
Where the caller marks nothing: `"cache_control": {"type": "ephemeral"}` on the last tool, on the last block of the
system prompt that holds no date, and at the end of the client's last two turns. Where the caller does, its markers win,
and one is added at the end of the turn before, or of the last one, when more than 20 blocks lie behind the marker and
fewer than four are set. Markers are no part of what the model reads.

Only towards servers that read markers (Anthropic, Bedrock, Vertex, OpenRouter; others with `[upstream] markers = true`)
and only where prompts may be rewritten at all: for Anthropic, Bedrock and Vertex `rewrite = true` says so.

## When it is wrong to apply
When a conversation is one request long: a marker costs a quarter more for what it keeps, and pays with the second.

## Source
platform.claude.com, "Prompt caching" (order of tools, system and messages; 20 blocks); microsoft/vscode#315505.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.marks import Row, with_marks
from keepwarm.core.prompt import Edit
from keepwarm.rules.api import Fix, Rule, Safety
from keepwarm.rules.mrk002 import MOST

HOSTS: Final = ("anthropic.com", "amazonaws.com", "googleapis.com", "openrouter.ai")
"""Servers that keep what is marked and nothing else."""
REACH: Final = 20
"""Blocks that are looked back over from a marker."""


def reads_marks(host: str, asked: bool | None = None) -> bool:
    """Whether the server at `host` reads cache markers; the user's word, where there is one, counts."""
    known = any(host == name or host.endswith(f".{name}") for name in HOSTS)
    return known if asked is None else asked


def place(row: Row) -> Fix[Row]:
    """`row` with markers where they are missing."""
    wanted = _missing(row) if row.is_marked else _whole(row)
    wanted = [at for at in wanted if row.tokens(at) >= row.minimum][: MOST - len(row.marks)]
    if row.automatic or not wanted:
        return Fix(row)
    note = "marked for the provider's cache"
    edits = tuple(Edit("MRK003", row.slots[at].path, "", "cache_control", note) for at in sorted(wanted))
    return Fix(with_marks(row, set(wanted)), edits)


def _whole(row: Row) -> list[int]:
    """Where markers belong in a request that has none."""
    tools = [at for at, slot in enumerate(row.slots) if slot.part == "tools" and slot.can_hold]
    system = [at for at, slot in enumerate(row.slots) if slot.part == "system" and slot.can_hold]
    still = [at for at in system if not row.slots[at].moves] or system
    return [*row.asked_ends()[-2:], *still[-1:], *tools[-1:]]


def _missing(row: Row) -> list[int]:
    """Where markers are missing beside those of the caller: at the end of the last turn, and of the one before."""
    ends, marks = row.asked_ends(), row.marks
    wanted: list[int] = []
    if ends and marks and ends[-1] - marks[-1] > REACH:
        wanted.append(ends[-1])
    for end in ends[-2:-1]:
        behind = [at - end for at in (*marks, *wanted) if at >= end]
        if behind and min(behind) > REACH:
            wanted.append(end)
    return wanted


def misplaced(row: Row) -> bool:
    """True when a prompt that is worth keeping is marked nowhere, or too far back."""
    if row.automatic:
        return False
    if not row.is_marked:
        return bool(row.slots) and row.tokens(len(row.slots) - 1) >= row.minimum
    return any(row.tokens(at) >= row.minimum for at in _missing(row))


RULE: Final = Rule("MRK003", "far-marker", Safety.EXACT, __doc__ or "", marks=place, misplaced=misplaced)
