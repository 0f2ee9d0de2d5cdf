"""
## What it does
Gives an assistant turn back the reasoning that the server generated for it, when the client dropped,
emptied or cut it.

## Why it costs you
The server's cache holds the turn as it was generated, reasoning and all. A history without it parts from the
cache at the first token of that turn: 139 to 242 s against 2 s in one report.

## Example
    generated:  <think>The file is missing.</think> I will create it.
    returned:   I will create it.

## What goes upstream instead
The turn with `reasoning_content` as generated, and for chat templates that have the switch
`preserve_thinking` / `clear_thinking: false`, so that the template does not drop it again.

Where keepwarm only observes a server whose template drops it, that is named as the server's doing: on vLLM, which is
asked what its template does, with the first verdict, else with the exact one.

## When it is wrong to apply
When the client's user removed the reasoning on purpose to save context: switch the rule off.

## Source
ggml-org/llama.cpp#22746 and #21903, BerriAI/litellm#39339.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.answer import Answer
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Block, Edit, Message, Text, Thinking, ToolUse, Turn
from keepwarm.rules.api import Fix, Memory, Rule, Safety


def recall(turn: Turn, memory: Memory) -> Answer | None:
    """What the server generated for this assistant turn, found by its tool calls or else by its text."""
    calls = [block for block in turn.blocks() if isinstance(block, ToolUse)]
    for call in calls:
        if (answer := memory.by_call(call.id)) is not None:
            return answer
    if calls:
        return None
    return memory.by_text("".join(block.text for block in turn.blocks() if isinstance(block, Text)))


def reattach(turn: Turn, memory: Memory) -> Fix[Turn]:
    """`turn` with the reasoning that was generated for it."""
    if not turn.is_assistant:
        return Fix(turn)
    answer = recall(turn, memory)
    if answer is None or not answer.thinking:
        return Fix(turn)
    said = "".join(block.text for block in turn.blocks() if isinstance(block, Thinking) and not block.redacted)
    if said == answer.thinking:
        return Fix(turn)
    message = turn.messages[0]
    rest: tuple[Block, ...] = tuple(
        block for block in message.blocks if not isinstance(block, Thinking) or block.redacted
    )
    blocks = (Thinking(answer.thinking, answer.signature), *rest)
    edit = Edit("HIS002", f"/messages/{message.index}", said, answer.thinking, "reasoning as generated")
    return Fix(Turn((Message(message.role, blocks, message.index, message.raw), *turn.messages[1:])), (edit,))


def names(difference: Difference) -> bool:
    """True when a turn lost its reasoning, or has another."""
    return difference.where == "turn" and difference.kind == "reasoning"


RULE: Final = Rule(
    "HIS002", "lost-reasoning", Safety.EXACT, __doc__ or "", turn=reattach, keeps=("reasoning",), names=names
)
