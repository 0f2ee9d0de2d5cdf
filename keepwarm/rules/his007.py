"""
## What it does
Replays an answer that was interrupted with the exact text that was generated until then.

## Why it costs you
When the user interrupts, the server has generated more than the client keeps: the client cuts at what it showed, strips
the white space, or drops the reasoning. The server's cache holds what was generated, so the prompt parts in the middle
of that turn.

## Example
    generated:  "I will look at the parser first. Then I"      (interrupted)
    returned:   "I will look at the parser first."

## What goes upstream instead
The text as generated, as long as it begins with what the client returns.

## When it is wrong to apply
When the model must not see words that the user has not seen.

## Source
ggml-org/llama.cpp#22746.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Block, Edit, Message, Text, Thinking, ToolUse, Turn
from keepwarm.rules.api import Fix, Memory, Rule, Safety
from keepwarm.rules.his002 import recall


def restore(turn: Turn, memory: Memory) -> Fix[Turn]:
    """An assistant turn that was cut off, with all that was generated."""
    if len(turn.messages) != 1 or not turn.is_assistant or any(isinstance(b, ToolUse) for b in turn.blocks()):
        return Fix(turn)
    said = "".join(block.text for block in turn.blocks() if isinstance(block, Text))
    cut = memory.cut()
    if not said.strip() or cut is None or cut.text == said or not cut.text.startswith(said.rstrip()):
        return Fix(turn)
    if recall(turn, memory) is not None:  # a whole answer of these words
        return Fix(turn)
    message = turn.messages[0]
    rest: list[Block] = [block for block in message.blocks if not isinstance(block, Text | Thinking)]
    thinking: list[Block] = [Thinking(cut.thinking, cut.signature)] if cut.thinking else []
    blocks = (*thinking, Text(cut.text), *rest)
    edit = Edit("HIS007", f"/messages/{message.index}", said, cut.text, "the text as generated until the interruption")
    return Fix(Turn((Message(message.role, blocks, message.index, message.raw),)), (edit,))


def names(difference: Difference) -> bool:
    """True when an answer came back shorter than it was generated."""
    return difference.where == "turn" and difference.kind == "cut"


RULE: Final = Rule("HIS007", "interrupted-turn", Safety.EXACT, __doc__ or "", turn=restore, names=names)
