"""Reminders: what an agent tells the model besides the user's words, in `<system-reminder>` tags.

Agents move them, drop them and add them from request to request. They may be a block of their own, or stand inside a
text or a tool result.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import structs

from keepwarm.core.prompt import Block, Text, ToolResult

OPEN: Final = "<system-reminder>"
CLOSE: Final = "</system-reminder>"
# And the countdown of tokens, which comes and goes like one.
_EACH: Final = re.compile(r"<system-reminder>.*?</system-reminder>|<total_tokens>.*?</total_tokens>", re.DOTALL)
_COUNTDOWN: Final = "<total_tokens>"


def is_reminder(text: str) -> bool:
    """Whether a text is a reminder and nothing else."""
    inner = text.strip()
    return inner.startswith(OPEN) and inner.endswith(CLOSE)


def wrap(text: str) -> str:
    """`text` as a reminder; one that is a reminder already stays as it is."""
    return text if is_reminder(text) else f"{OPEN}\n{text}\n{CLOSE}"


def inside(text: str) -> tuple[str, ...]:
    """The reminders in a text, tags and all."""
    return tuple(_EACH.findall(text)) if _has(text) else ()


def without(text: str) -> str:
    """`text` less the reminders in it."""
    return _EACH.sub("", text) if _has(text) else text


def _has(text: str) -> bool:
    return OPEN in text or _COUNTDOWN in text


def behind(blocks: tuple[Block, ...], *notes: Block) -> tuple[Block, ...]:
    """`notes` behind `blocks`: inside the tool result that they end with, or else as blocks of their own.

    As a message of its own behind a tool result a text would be taken for a new query by templates that then drop the
    reasoning of the whole loop.
    """
    if blocks and isinstance(last := blocks[-1], ToolResult):
        words = tuple(Text(note.text) for note in notes if isinstance(note, Text))
        grown = structs.replace(last, content=(*last.content, *words))
        return (*blocks[:-1], grown, *(note for note in notes if not isinstance(note, Text)))
    return (*blocks, *notes)
