"""
## What it does
Names a cache marker (`cache_control`) on text that moves: a system block with a date, a tool whose description was
changed, an old message that is written anew. Where keepwarm sets the markers it takes the last block without a date.

## Why it costs you
The provider keeps the prefix up to the marker. When the block that carries it changes with each request, each request
writes an entry that none will ever read, at 1.25 times the price of a token, and finds none either.

## Example
    "system": [{"type": "text", "text": "You are ... It is 06:00:31.", "cache_control": {"type": "ephemeral"}}]

## What goes upstream instead
The caller's own markers: they win. What helps: a block of its own, without a marker, for what changes, behind the
marked one; or VOL003, which keeps the clock out of the head.

## When it is wrong to apply
It changes nothing.

## Source
platform.claude.com, "Prompt caching", on blocks that change with every request; microsoft/vscode#323642.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.marks import Row
from keepwarm.rules.api import Rule, Safety


def misplaced(row: Row) -> bool:
    """True when a marked block is not what it was on the request before."""
    marked = [slot.path for slot in row.slots if slot.marked]
    return any(_within(path, changed) or _within(changed, path) for path in marked for changed in row.changed)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}/")


RULE: Final = Rule("MRK001", "marked-moving-text", Safety.EXACT, __doc__ or "", misplaced=misplaced)
