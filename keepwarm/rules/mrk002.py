"""
## What it does
Takes cache markers off where a request carries more than four.

## Why it costs you
The provider refuses a fifth: "A maximum of 4 blocks with cache_control may be provided". An agent that marks each turn
and a proxy that adds its own get there together, and the request fails.

## Example
    marked: the last tool, two system blocks, three messages: 400

## What goes upstream instead
The four that reach furthest: the last one of the conversation, of the system prompt and of the tools, and the last but
one of the conversation. A marker for the whole request counts as one.

## When it is wrong to apply
It takes off only what would be refused. A provider that allows more has to be told: `off = ["MRK002"]`.

## Source
platform.claude.com, "Prompt caching" (up to four breakpoints); maximhq/bifrost#1935.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.marks import Row, with_marks
from keepwarm.core.prompt import Edit
from keepwarm.rules.api import Fix, Rule, Safety

MOST: Final = 4


def trim(row: Row) -> Fix[Row]:
    """`row` with as many markers as are allowed."""
    if not misplaced(row):
        return Fix(row)
    keep = set(_ranked(row)[: MOST - row.automatic])
    gone = set(row.marks) - keep
    edits = tuple(
        Edit("MRK002", row.slots[place].path, "cache_control", "", "a fifth marker would be refused")
        for place in sorted(gone)
    )
    return Fix(with_marks(row, set(), gone), edits)


def _ranked(row: Row) -> list[int]:
    """The markers, those first that reach furthest in their part."""
    parts = {part: [place for place in row.marks if row.slots[place].part == part] for part in ("messages", "system")}
    tools = [place for place in row.marks if row.slots[place].part == "tools"]
    first = [*parts["messages"][-1:], *parts["system"][-1:], *tools[-1:], *parts["messages"][-2:-1]]
    return [*first, *(place for place in reversed(row.marks) if place not in first)]


def misplaced(row: Row) -> bool:
    """True when there are more markers than are allowed."""
    return len(row.marks) + row.automatic > MOST


RULE: Final = Rule("MRK002", "too-many-markers", Safety.EXACT, __doc__ or "", marks=trim, misplaced=misplaced)
