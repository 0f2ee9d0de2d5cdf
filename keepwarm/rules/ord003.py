"""
## What it does
Sends a tool's schema in the bytes in which the conversation first showed it, as long as it says the same.

## Why it costs you
Chat templates print a schema as it stands in the request. A client that builds it anew from a hash map, or a proxy that
parses and writes it again, gives its keys another order and its commas other blanks, and the prompt parts there, at its
head.

## Example
    request 1: {"type": "object", "properties": {}}     request 2: {"properties": {}, "type": "object"}

## What goes upstream instead
The first of the two, both times.

## When it is wrong to apply
Never for JSON's own meaning: an object's keys have no order. Where the order is meant to tell the model something,
switch it off. A schema that really says something else is sent as it is now.

## Source
maximhq/bifrost (an ordered map for tool schemas, for the sake of provider caches).
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Tool
from keepwarm.rules.api import FirstSeen, Fix, Rule, Safety


def restore(tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
    """`tools`, each that equals one of `seen` with that one's schema text."""
    first = {name: (identity, tool.schema) for name, identity, tool in seen.tools}
    if not first or len({tool.name for tool in tools}) != len(tools):  # the same name twice: whose text would it be?
        return Fix(tools)
    edits: list[Edit] = []
    row: list[Tool] = []
    for tool in tools:
        identity, schema = first.get(tool.name, (b"", tool.schema))
        if schema != tool.schema and digest.of_tool(tool) == identity:
            before, after = (text.decode("utf-8", "replace") for text in (tool.schema, schema))
            edits.append(Edit("ORD003", f"/tools/{tool.index}", before, after, "schema in the bytes first seen"))
            tool = structs.replace(tool, schema=schema)
        row.append(tool)
    return Fix(tuple(row), tuple(edits)) if edits else Fix(tools)


def names(difference: Difference) -> bool:
    """True when a tool says the same in other bytes."""
    return difference.where == "tools" and difference.kind == "keys"


RULE: Final = Rule("ORD003", "schema-key-order", Safety.EXACT, __doc__ or "", tools=restore, names=names)
