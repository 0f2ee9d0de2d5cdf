"""
## What it does
Keeps a system message that stands among the messages at its place: it becomes a `<system-reminder>` inside
the tool result before it, or beside the user's words before it. A reminder block that already stands behind
tool results in a user message is moved into the last of those results in the same way.

## Why it costs you
Claude Code (2.1.154 and later) sends `role: "system"` inside `messages`. Many servers and proxies move such a
message to the head of the prompt, so each new one parts the prompt right behind system and tools; strict
templates refuse the request ("System message must be at the beginning"). As a message of its own behind a
tool result it would be taken for a new query by templates that then drop the reasoning of the whole loop:
a second break.

## Example
    user: [tool_result "3 files"],  system: "The date has changed."

## What goes upstream instead
    user: [tool_result "3 files\\n\\n<system-reminder>\\nThe date has changed.\\n</system-reminder>"]

## When it is wrong to apply
Towards a server that takes system messages at any place and trains for it. Nothing is ever put between a
tool call and its result.

## Source
vllm-project/vllm#53393, #56520 and #46025, ollama/ollama#18431 and #17774, BerriAI/litellm#36968,
ggml-org/llama.cpp#27107; CLIENTS.md of this project: what Claude Code 2.1.328 sends.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.prompt import Block, Edit, Message, Text, ToolResult, Turn
from keepwarm.core.reminder import behind, is_reminder, wrap
from keepwarm.rules.api import Fix, Memory, Rule, Safety


def fold(turn: Turn, _: Memory) -> Fix[Turn]:
    """`turn` with every system message folded into the message before it (or, at the front, behind it)."""
    if turn.is_assistant:
        return Fix(turn)
    edits: list[Edit] = []
    done: list[Message] = []
    waiting: list[Block] = []
    for message in turn.messages:
        if message.role != "system":
            blocks = _settle(message, edits)
            done.append(Message(message.role, _in_front(tuple(waiting), blocks), message.index, message.raw))
            waiting = []
            continue
        notes = _reminders(message)
        if not notes:
            continue
        words = "".join(note.text for note in notes if isinstance(note, Text))
        edits.append(Edit("ROL001", f"/messages/{message.index}", _words(message), words, "kept at its place"))
        if done:
            last = done[-1]
            done[-1] = Message(last.role, behind(last.blocks, *notes), last.index, last.raw)
        else:
            waiting += notes
    if waiting:
        done.append(Message("user", tuple(waiting), turn.messages[0].index))
    if not edits and len(done) == len(turn.messages):
        return Fix(turn)
    return Fix(Turn(tuple(done)), tuple(edits))


def _settle(message: Message, edits: list[Edit]) -> tuple[Block, ...]:
    """Reminder blocks behind the last tool result, moved into it."""
    blocks: list[Block] = []
    for place, block in enumerate(message.blocks):
        if isinstance(block, Text) and is_reminder(block.text) and blocks and isinstance(blocks[-1], ToolResult):
            blocks[:] = behind(tuple(blocks), block)
            note = "moved into the tool result before it"
            edits.append(Edit("ROL001", f"/messages/{message.index}/content/{place}", block.text, block.text, note))
        else:
            blocks.append(block)
    return tuple(blocks)


def _in_front(notes: tuple[Block, ...], blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """`notes` before the user's words, but never before the results that answer the calls above them."""
    results = next((at for at, block in enumerate(blocks) if not isinstance(block, ToolResult)), len(blocks))
    if not notes or not results:
        return (*notes, *blocks)
    return (*behind(blocks[:results], *notes), *blocks[results:])


def _reminders(message: Message) -> tuple[Block, ...]:
    """What a system message says, as blocks of a user's: its words in tags, then whatever else is in it."""
    words = _words(message)
    rest = tuple(block for block in message.blocks if not isinstance(block, Text))
    if not words.strip():
        return rest
    return (Text(wrap(words)), *rest)


def _words(message: Message) -> str:
    return "\n\n".join(block.text for block in message.blocks if isinstance(block, Text))


RULE: Final = Rule("ROL001", "inline-system", Safety.ORDER, __doc__ or "", turn=fold)
