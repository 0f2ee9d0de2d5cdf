"""
## What it does
Reads a message the same whatever its shape: a string or a list with one text block, with or without
`cache_control`, with or without empty text blocks. Gives an answer back the white space it was generated with, and
leaves an old turn as it was when it comes back with other white space and the same words.

## Why it costs you
On most servers it costs nothing, and then it must not be called a break. But the one moving `cache_control`
mark of Claude Code turns an array back into a string when it moves on, some templates print the two
differently, and a tool that compares bytes takes every turn for a changed history.

## Example
    [{"type": "text", "text": "go on", "cache_control": {"type": "ephemeral"}}]   then   "go on"

## What goes upstream instead
What the first of the two became; text blocks with no text in them are left out.

## When it is wrong to apply
Never for what is read; on a server where `cache_control` means something, the client's marks are kept.

## Source
sgl-project/sglang#36877; measured with Claude Code 2.1.114 and 2.1.328.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Message, Text, Thinking, Turn
from keepwarm.rules.api import Fix, Memory, Rule, Safety
from keepwarm.rules.his002 import recall


def canonical(message: Message) -> Fix[Message]:
    """`message` without text blocks that hold no text."""
    kept = tuple(block for block in message.blocks if not (isinstance(block, Text) and not block.text))
    if len(kept) == len(message.blocks):
        return Fix(message)
    edit = Edit("HIS006", f"/messages/{message.index}", "", "", "empty text left out")
    return Fix(Message(message.role, kept, message.index, message.raw), (edit,))


def respace(turn: Turn, memory: Memory) -> Fix[Turn]:
    """An assistant turn with its text as generated, when the two differ in white space at the ends only."""
    if not turn.is_assistant or (answer := recall(turn, memory)) is None or len(turn.messages) != 1:
        return Fix(turn)
    message = turn.messages[0]
    texts = [block.text for block in message.blocks if isinstance(block, Text)]
    said = "".join(texts)
    if said == answer.text or said.strip() != answer.text.strip() or len(texts) > 1:
        return Fix(turn)
    before = [block for block in message.blocks if not isinstance(block, Text)]
    place = next((at for at, block in enumerate(message.blocks) if isinstance(block, Text)), None)
    if place is None:  # the client left out a text of white space only: it stood before the calls
        place = sum(1 for block in before if isinstance(block, Thinking))
    blocks = (*before[:place], Text(answer.text), *before[place:])
    edit = Edit("HIS006", f"/messages/{message.index}", said, answer.text, "white space as generated")
    return Fix(Turn((Message(message.role, blocks, message.index, message.raw),)), (edit,))


def names(difference: Difference) -> bool:
    """True when a text differs in white space only."""
    return difference.where == "turn" and difference.kind == "space"


RULE: Final = Rule(
    "HIS006",
    "shape-drift",
    Safety.EXACT,
    __doc__ or "",
    message=canonical,
    turn=respace,
    keeps=("space",),
    names=names,
)
