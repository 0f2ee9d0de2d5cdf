"""
## What it does
Leaves the head of the prompt as it stands when a tool is added in the middle of a conversation, or a deferred tool is
loaded: the model reads its definition where it comes up, in the newest turn or in the result that loads it. Names a
tool that was removed or reworded.

## Why it costs you
Tools stand at the head of the prompt: one more there, and everything behind it is prefilled again.

## Example
    request 4: Bash, Edit, Read      request 5: Bash, Edit, Read, mcp__tracker__search

## What goes upstream instead
For llama.cpp, Bash, Edit and Read at the head both times, and the definition of the new tool behind the newest turn.
Anthropic's own API does the same with a tool that `tool_reference` loads. The server still knows all tools, so that a
call of the new one is a call: `tools` holds them, `chat_template_kwargs.tools` those that the template prints.

For other servers, which print each tool that may be called, the new one is put behind those that stand (ORD001). What
helps there: start slow MCP servers before the agent, or let the agent defer its tools.

## When it is wrong to apply
When a model calls only the tools that stand at the head of its prompt.

## Source
sst/opencode#14743, openai/codex#33266; platform.claude.com "Tool use with prompt caching" on `defer_loading`; measured
with Claude Code 2.1.328 (ToolSearch puts a loaded tool at its alphabetical place) and llama.cpp (common/chat.cpp).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import structs

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Head, Notice, Tool
from keepwarm.rules.api import HeadFix, Rule, Safety


def hold(head: Head, seen: Head | None) -> HeadFix:
    """`head` with the tools that its conversation did not begin with marked as late, and notices that define them."""
    if seen is None:
        return HeadFix(head)
    edits: list[Edit] = []
    notices: list[Notice] = []
    known = {tool.name: tool for tool in seen.tools}
    tools = []
    for tool in head.tools:
        old = known.get(tool.name)
        late = not tool.deferred and bool(tool.schema) and (old is None or old.late)
        tools.append(structs.replace(tool, late=True) if late else tool)
        if late:
            path = f"/tools/{tool.index}"
            edits.append(Edit("ORD002", path, "", told(tool), "told in the conversation instead"))
            notices.append(Notice(f"tool {tool.name}", told(tool), "ORD002", path))
    if not edits:
        return HeadFix(head)
    return HeadFix(structs.replace(head, tools=tuple(tools)), tuple(edits), tuple(notices))


def told(tool: Tool) -> str:
    """A tool as the model meets it in the conversation, in the JSON that most templates print."""
    function = {"name": tool.name, "description": tool.description, "parameters": msgspec.Raw(tool.schema)}
    text = msgspec.json.encode({"type": "function", "function": function}).decode()
    return f"The tool {tool.name} is available now:\n<tools>\n{text}\n</tools>"


def names(difference: Difference) -> bool:
    """True when the set of tools, or what one of them says, is another than before."""
    return difference.where == "tools" and difference.kind not in ("reordered", "keys")


RULE: Final = Rule("ORD002", "late-tools", Safety.ORDER, __doc__ or "", head=hold, names=names)
