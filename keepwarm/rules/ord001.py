"""
## What it does
Sends the tools in the order in which the conversation first showed them, each with the text it first had as
long as it says the same. A tool that comes later is put behind them.

## Why it costs you
Chat templates print the tools at the head of the prompt. The same tools in another order, or the same schema
with its keys in another order, part the prompt there, and all that follows is prefilled again.

## Example
    request 1: Bash, Edit, Read      request 2: Bash, Read, Edit

## What goes upstream instead
    Bash, Edit, Read     both times

## When it is wrong to apply
When the order is meant to tell the model something. A tool that is gone is not kept, and one whose words or
schema really changed is sent as it is now: both are named as the client's doing.

## Source
can1357/oh-my-pi#890 (12% of requests missed), langchain-ai/deepagents#2497, QwenLM/qwen-code#6338.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Tool
from keepwarm.rules.api import FirstSeen, Fix, Rule, Safety


def reorder(tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
    """`tools` in the order of `seen`, the unseen ones behind; an equal tool keeps its first text."""
    now = {tool.name: tool for tool in tools}
    if len(now) != len(tools) or not seen.tools:  # the same name twice: whose order would it be?
        return Fix(tools)
    edits: list[Edit] = []
    row: list[Tool] = []
    for name, identity, first in seen.tools:
        tool = now.pop(name, None)
        if tool is None:
            continue
        same = digest.of_tool(tool) == identity
        if same and tool.schema != first.schema:
            note = "schema keys in the order first seen"
            edits.append(Edit("ORD001", f"/tools/{tool.index}", _text(tool), _text(first), note))
        row.append(structs.replace(tool, schema=first.schema) if same else tool)
    row += now.values()
    if [tool.name for tool in row] != [tool.name for tool in tools]:
        before, after = (", ".join(tool.name for tool in group) for group in (tools, row))
        edits.append(Edit("ORD001", "/tools", before, after, "tools in the order first seen"))
    return Fix(tuple(row) if edits else tools, tuple(edits))


def _text(tool: Tool) -> str:
    return tool.schema.decode("utf-8", "replace")


def names(difference: Difference) -> bool:
    """True when the same tools stand in another order."""
    return difference.where == "tools" and difference.kind == "reordered"


RULE: Final = Rule("ORD001", "reordered-tools", Safety.ORDER, __doc__ or "", tools=reorder, names=names)
