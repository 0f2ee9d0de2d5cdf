"""
## What it does
Names a tool that was added, removed or reworded in the middle of a conversation. What is new is put behind
the tools that stand (ORD001), so that at least those keep their place.

## Why it costs you
Tools stand at the head of the prompt: one more there, and everything behind it is prefilled again, once.

## Example
    request 4: Bash, Edit, Read      request 5: Bash, Edit, Read, mcp__tracker__search

## What goes upstream instead
The client's tools. What helps: start slow MCP servers before the agent, or let the agent defer its tools.

## When it is wrong to apply
It changes nothing by itself.

## Source
sst/opencode#14743, openai/codex#33266.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.rules.api import Rule, Safety


def names(difference: Difference) -> bool:
    """True when the set of tools, or what one of them says, is another than before."""
    return difference.where == "tools" and difference.kind not in ("reordered", "keys")


RULE: Final = Rule("ORD002", "late-tools", Safety.ORDER, __doc__ or "", names=names)
