"""
## What it does
Sends the tools in the order in which the conversation first showed them. A tool that comes later is put behind them.

## Why it costs you
Chat templates print the tools at the head of the prompt. The same tools in another order part the prompt there, and
all that follows is prefilled again.

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

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Tool
from keepwarm.rules.api import FirstSeen, Fix, Rule, Safety


def reorder(tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
    """`tools` in the order of `seen`, the unseen ones behind."""
    now = {tool.name: tool for tool in tools}
    if len(now) != len(tools) or not seen.tools:  # the same name twice: whose order would it be?
        return Fix(tools)
    row = [tool for name, _, _ in seen.tools if (tool := now.pop(name, None)) is not None]
    row += now.values()
    before, after = ([tool.name for tool in group] for group in (tools, row))
    if before == after:
        return Fix(tools)
    edit = Edit("ORD001", "/tools", ", ".join(before), ", ".join(after), "tools in the order first seen")
    return Fix(tuple(row), (edit,))


def names(difference: Difference) -> bool:
    """True when the same tools stand in another order."""
    return difference.where == "tools" and difference.kind == "reordered"


RULE: Final = Rule("ORD001", "reordered-tools", Safety.ORDER, __doc__ or "", tools=reorder, names=names)
