"""
## What it does
Replays the argument text of a tool call as the server generated it, found by the call's id.

## Why it costs you
Agents parse the arguments and write them anew: Claude Code reorders the keys of a Bash call and takes a
leading `cd <cwd> && ` off, always adds `replace_all: false` to an Edit, strips trailing blanks in a Write, turns
5000.0 into 5000. What the server generated never matches what returns, and each turn is prefilled again
from its tool call on.

## Example
    generated:  {"description": "List files", "command": "cd /src && ls", "timeout": 5000.0}
    returned:   {"command": "ls", "description": "List files", "timeout": 5000}

## What goes upstream instead
The generated text, byte for byte, under the server's own id for the call.

## When it is wrong to apply
When a hook or the user changed the arguments before the tool ran and the model should know: the model then
reads the call that it made, and the result of the call that ran. Each replay is listed on the record.

## Source
Measured with Claude Code 2.1.39, 2.1.114 and 2.1.328; ollama/ollama commit ac83ac20.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from msgspec import structs

from keepwarm.codec.json_text import is_object
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Block, Edit, Message, ToolResult, ToolUse, Turn
from keepwarm.rules.api import Fix, Memory, Rule, Safety


def replay(turn: Turn, memory: Memory) -> Fix[Turn]:
    """`turn` with each tool call as it was generated, each result under the id that the server gave its call."""
    edits: list[Edit] = []
    messages: list[Message] = []
    for message in turn.messages:
        blocks = tuple(
            _replayed(block, memory, f"/messages/{message.index}/content/{place}/input", edits)
            for place, block in zip(_places(message), message.blocks, strict=True)
        )
        changed = any(mine is not theirs for mine, theirs in zip(blocks, message.blocks, strict=True))
        messages.append(Message(message.role, blocks, message.index, message.raw) if changed else message)
    return Fix(Turn(tuple(messages)), tuple(edits))


def _places(message: Message) -> list[int]:
    """Where the client has each block: not counting those in front that a rule made."""
    made = list(accumulate(not block.raw for block in message.blocks)) if message.raw else [0] * len(message.blocks)
    return [place - before for place, before in enumerate(made)]


def _replayed(block: Block, memory: Memory, path: str, edits: list[Edit]) -> Block:
    if not isinstance(block, ToolUse | ToolResult) or (answer := memory.by_call(block.id)) is None:
        return block
    call = next(call for call in answer.calls if call.id == block.id)
    if isinstance(block, ToolResult):
        return structs.replace(block, id=call.upstream_id) if call.upstream_id else block
    if not is_object(call.arguments):  # cut off, or none: a server would refuse what it wrote itself
        call = structs.replace(call, arguments=block.arguments)
    if call.arguments == block.arguments and call.upstream_id in ("", block.upstream_id or block.id):
        return block
    if call.arguments != block.arguments:
        edits.append(Edit("HIS003", path, block.arguments, call.arguments, "arguments as generated"))
    return structs.replace(block, name=call.name, arguments=call.arguments, upstream_id=call.upstream_id)


def names(difference: Difference) -> bool:
    """True when a tool call came back in other words."""
    return difference.where == "turn" and difference.kind == "arguments"


RULE: Final = Rule(
    "HIS003", "rewritten-tool-call", Safety.EXACT, __doc__ or "", turn=replay, keeps=("arguments",), names=names
)
