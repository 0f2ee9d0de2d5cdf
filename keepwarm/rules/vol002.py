"""
## What it does
Drops the token countdown `<total_tokens>N tokens left</total_tokens>` that Claude Code (2.1.233 and later)
puts behind tool results and user turns.

## Why it costs you
The number is new each time. Servers that move system messages to the front of the prompt prefill everything
again for it; where it stays in place it still grows the prompt by about 13 tokens a turn with numbers that
were true once.

## Example
    {"role": "system", "content": "<total_tokens>812345 tokens left</total_tokens>"}

## What goes upstream instead
Nothing. Switch VOL002 off in `keepwarm.toml`, for everybody or for one client, to leave it where it stands.

## When it is wrong to apply
When the agent's model is meant to pace itself by the number. A text that quotes the tag among other words
of the user's is left alone, and so are a tool's output and a turn that says nothing else.

## Source
anthropics/claude-code#81259, ollama/ollama#17918 and #18431, vllm-project/vllm#56520, jundot/omlx#2881.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import structs

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Block, Edit, Message, SystemBlock, Text
from keepwarm.rules.api import Fix, Rule, Safety

_WORD: Final = "<total_tokens>"
_TAG: Final = r"<total_tokens>[ \t]*\d[\d,_]*[ \t]+tokens left[ \t]*</total_tokens>"
_ALONE: Final = re.compile(rf"\s*(?:<system-reminder>\s*(?:{_TAG}\s*)+</system-reminder>|(?:{_TAG}\s*)+)\s*")
_ANY: Final = re.compile(_TAG)
_LINE: Final = re.compile(rf"(?:^|\n)[ \t]*{_TAG}[ \t]*(?=\n|$)")


def drop(message: Message) -> Fix[Message]:
    """`message` without countdowns: whole blocks of it, and whole lines of a system message.

    It may be nothing else: a client that speaks Chat Completions puts it into a message of its own, behind the results
    of tools. Where the whole turn is nothing else, it is the user's word and stays (`exchange.turns`).
    """
    if message.role == "assistant":
        return Fix(message)
    kept: list[Block] = []
    edits: list[Edit] = []
    for place, block in enumerate(message.blocks):
        path = f"/messages/{message.index}/content/{place}"
        if not isinstance(block, Text):
            kept.append(block)
        elif _ALONE.fullmatch(block.text):
            edits.append(Edit("VOL002", path, block.text, "", "countdown dropped"))
        elif message.role == "system" and (rest := _LINE.sub("", block.text)) != block.text:
            edits.append(Edit("VOL002", path, block.text, rest, "countdown line dropped"))
            kept.append(Text(rest, block.raw))
        else:
            kept.append(block)
    if not edits:
        return Fix(message)
    return Fix(Message(message.role, tuple(kept), message.index, message.raw), tuple(edits))


def drop_from_system(block: SystemBlock) -> Fix[SystemBlock | None]:
    """`block` without the lines of the system prompt that are a countdown and nothing else."""
    # A system prompt is long and looked at on each request: a search for the word is cheap, the pattern is not.
    if _WORD not in block.text or (rest := _LINE.sub("", block.text)) == block.text:
        return Fix(block)
    edit = Edit("VOL002", block.path, block.text, rest, "countdown line dropped")
    return Fix(structs.replace(block, text=rest) if rest.strip() else None, (edit,))


def names(difference: Difference) -> bool:
    """True when the texts part inside a countdown."""
    return any(
        found.start() <= difference.offset <= found.end()
        for text in (difference.before, difference.after)
        for found in _ANY.finditer(text)
    )


RULE: Final = Rule(
    "VOL002", "token-countdown", Safety.MEANING, __doc__ or "", system=drop_from_system, message=drop, names=names
)
