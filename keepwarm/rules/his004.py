"""
## What it does
Puts the results of parallel tool calls in the order of the calls, and leaves them in that order when the client sends
them in another one later.

## Why it costs you
Tools that run side by side end in any order. An agent that writes their results down as they end, and in the order of
the calls when it loads the conversation again, parts the prompt in the middle of its history.

## Example
    calls: A, B       results on request 3: B, A       results on request 4: A, B

## What goes upstream instead
    A, B     both times

## When it is wrong to apply
When the order of the results is meant to tell the model which call ended first.

## Source
anthropics/claude-code#76959.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Block, Edit, Message, ToolResult, Turn
from keepwarm.rules.api import Fix, Memory, Rule, Safety


def reorder(turn: Turn, memory: Memory) -> Fix[Turn]:
    """`turn` with its tool results in the order of the calls that they answer; results of other calls stay behind."""
    results = [block for block in turn.blocks() if isinstance(block, ToolResult)]
    order = {call: place for place, call in enumerate(memory.calls)}
    wanted = sorted(results, key=lambda result: order.get(result.id, len(order)))
    if [result.id for result in wanted] == [result.id for result in results]:
        return Fix(turn)
    row = iter(wanted)
    messages = tuple(_with(message, row) for message in turn.messages)
    place = next(message.index for message in turn.messages if any(isinstance(b, ToolResult) for b in message.blocks))
    before, after = (", ".join(result.id for result in group) for group in (results, wanted))
    edit = Edit("HIS004", f"/messages/{place}", before, after, "results in the order of their calls")
    return Fix(Turn(messages), (edit,))


def _with(message: Message, row: Iterator[ToolResult]) -> Message:
    blocks: list[Block] = []
    for block in message.blocks:
        blocks.append(next(row) if isinstance(block, ToolResult) else block)
    if tuple(blocks) == message.blocks:
        return message
    return Message(message.role, tuple(blocks), message.index, message.raw)


def names(difference: Difference) -> bool:
    """True when the same results, or calls, stand in another order."""
    return difference.where == "turn" and difference.kind == "order"


RULE: Final = Rule(
    "HIS004", "reordered-tool-results", Safety.ORDER, __doc__ or "", turn=reorder, keeps=("order",), names=names
)
