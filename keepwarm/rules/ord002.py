"""
## What it does
Leaves the head of the prompt as it stands when a tool is added in the middle of a conversation, or a deferred tool is
loaded, where the server lets it: the model reads the definition where it comes up, in the newest turn or in the result
that loads it. Names a tool that was removed or reworded.

## Why it costs you
Tools stand at the head of the prompt: one more there, and everything behind it is prefilled again, once. MCP servers
that start slowly bring theirs one after the other, each at the price of the whole conversation.

## Example
    request 4: Bash, Edit, Read      request 5: Bash, Edit, Read, mcp__tracker__search

## What goes upstream instead
To llama.cpp and vLLM, Bash, Edit and Read at the head both times, and the definition of the new tool behind the newest
turn. Anthropic's own API does the same with a tool that `tool_reference` loads. The server still knows all tools, so
that a call of the new one is a call: `tools` holds them, `chat_template_kwargs.tools` those that the template prints.
vLLM is asked beforehand whether it heeds that (`/tokenize`): where it does not, all its tools are printed.

Other servers print each tool that may be called. There the new one is put behind those that stand (ORD001), so that at
least these keep their place. With

    [rules]                  # or [clients.NAME] for one program
    hold_tools = true

they get the tools that the conversation has shown, and the late ones from the next request on that breaks the prefix
without them: the system prompt or another tool changes, the conversation is compacted, a deferred tool is loaded, the
model is another, or the client insists on one of them. Each held tool is listed with each request. What helps as well:
start slow MCP servers before the agent, or let the agent defer its tools.

## When it is wrong to apply
When a model calls only the tools that stand at the head of its prompt. `hold_tools`, when the model has to use the new
tool at once: what is held back it cannot call. That is why nothing is held back unless it is asked for.

## Source
sst/opencode#14743, openai/codex#33266; platform.claude.com "Tool use with prompt caching" on `defer_loading`; measured
with Claude Code 2.1.328 (ToolSearch puts a loaded tool at its alphabetical place), llama.cpp (common/chat.cpp) and
vLLM 0.32 (renderers/params.py).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Head, Notice, Tool
from keepwarm.rules.api import FirstSeen, Fix, HeadFix, Rule, Safety

HELD: Final = "held back until the head changes anyway"


def announce(head: Head, seen: Head | None) -> HeadFix:
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


def unannounced(fix: HeadFix) -> HeadFix:
    """`fix` for a server that prints each tool that may be called: none is late there."""
    tools = tuple(structs.replace(tool, late=False) if tool.late else tool for tool in fix.head.tools)
    edits = tuple(edit for edit in fix.edits if edit.code != "ORD002")
    notices = tuple(notice for notice in fix.notices if notice.code != "ORD002")
    return HeadFix(structs.replace(fix.head, tools=tools), edits, notices)


def told(tool: Tool) -> str:
    """A tool as the model meets it in the conversation, in the JSON that most templates print."""
    function = {"name": tool.name, "description": tool.description, "parameters": msgspec.Raw(tool.schema)}
    text = msgspec.json.encode({"type": "function", "function": function}).decode()
    return f"The tool {tool.name} is available now:\n<tools>\n{text}\n</tools>"


def hold(tools: tuple[Tool, ...], seen: FirstSeen) -> Fix[tuple[Tool, ...]]:
    """`tools` without those that `seen` does not know, where that spares the prefix.

    A tool that the client wants to be loaded later, or that the model is told of, is not at the head of the prompt and
    need not be held back.
    """
    known = {name: identity for name, identity, _ in seen.tools}
    if not seen.hold or not known or _breaks(tools, known):
        return Fix(tools)
    late = [tool for tool in tools if tool.name not in known and not tool.deferred and not tool.late]
    if not late:
        return Fix(tools)
    edits = tuple(Edit("ORD002", f"/tools/{tool.index}", _text(tool), "", HELD) for tool in late)
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


RULE: Final = Rule("ORD002", "late-tools", Safety.ORDER, __doc__ or "", head=announce, tools=hold, names=names)
