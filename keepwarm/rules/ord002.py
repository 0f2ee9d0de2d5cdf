"""
## What it does
Names a tool that was added, removed or reworded in the middle of a conversation. What is new is put behind the tools
that stand (ORD001), so that at least those keep their place. With `hold_tools = true` it is held back instead: the
model does not see it before the head of the prompt changes anyway.

## Why it costs you
Tools stand at the head of the prompt: one more there, and everything behind it is prefilled again, once. MCP servers
that start slowly bring theirs one after the other, each at the price of the whole conversation.

## Example
    request 4: Bash, Edit, Read      request 5: Bash, Edit, Read, mcp__tracker__search

## What goes upstream instead
By itself the client's tools. With

    [rules]                  # or [clients.NAME] for one program
    hold_tools = true

the tools that the conversation has shown, and the late ones from the next request on that breaks the prefix without
them: the system prompt or another tool changes, the conversation is compacted, a deferred tool is loaded, the model is
another, or the client insists on one of them. Each held tool is listed with each request. What helps as well: start
slow MCP servers before the agent, or let the agent defer its tools.

## When it is wrong to apply
When the model has to use the new tool at once: what is held back it cannot call. That is why nothing is held back
unless it is asked for.

## Source
sst/opencode#14743, openai/codex#33266.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Tool
from keepwarm.rules.api import FirstSeen, Fix, Rule, Safety


def hold(tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
    """`tools` without those that `seen` does not know, where that spares the prefix.

    A tool that the client wants to be loaded later is not in the prompt and need not be held back.
    """
    known = {name: identity for name, identity, _ in seen.tools}
    if not seen.hold or not known or _breaks(tools, known):
        return Fix(tools)
    late = [tool for tool in tools if tool.name not in known and not tool.deferred]
    if not late:
        return Fix(tools)
    note = "held back until the head changes anyway"
    edits = tuple(Edit("ORD002", f"/tools/{tool.index}", _text(tool), "", note) for tool in late)
    return Fix(tuple(tool for tool in tools if tool not in late), edits)


def _breaks(tools: tuple[Tool, ...], known: dict[str, bytes]) -> bool:
    """Whether one of the known tools is gone or says something else: then the head changes whatever is held back."""
    now = {tool.name: digest.of_tool(tool) for tool in tools}
    return any(now.get(name) != identity for name, identity in known.items())


def _text(tool: Tool) -> str:
    return f"{tool.name}\n{tool.description}\n{tool.schema.decode('utf-8', 'replace')}"


def names(difference: Difference) -> bool:
    """True when the set of tools, or what one of them says, is another than before."""
    return difference.where == "tools" and difference.kind not in ("reordered", "keys")


RULE: Final = Rule("ORD002", "late-tools", Safety.ORDER, __doc__ or "", tools=hold, names=names)
