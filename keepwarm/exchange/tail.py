"""What the gateway itself tells the model, in the newest turn: there it parts nothing that has been read.

What a rule keeps out of the head (a new date, the state of the project) is told once, and again when it says something
else.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from keepwarm.core import digest
from keepwarm.core.prompt import Block, Edit, Message, Notice, Text, ToolResult, Turn
from keepwarm.core.reminder import behind, inside, wrap

Told = tuple[tuple[str, bytes], ...]


class Tail(msgspec.Struct, frozen=True):
    """What there is to tell."""

    notices: Sequence[Notice] = ()
    told: Told = ()
    """What the turns before have told: (topic, digest of the words), the latest last."""


def tell(turn: Turn, tail: Tail) -> tuple[Turn, Told, list[Edit]]:
    """(`turn` with all that is still to be told, what that is, the edits)."""
    latest = dict(tail.told)
    untold = [notice for notice in tail.notices if latest.get(notice.topic, _known(notice)) != _digest(notice)]
    if not untold:
        return turn, (), []
    at = max((at for at, message in enumerate(turn.messages) if message.role != "system"), default=0)
    last = turn.messages[at]
    blocks = behind(last.blocks, *(Text(wrap(notice.text)) for notice in untold))
    told = Message(last.role, blocks, last.index, last.raw)
    edits = [Edit(notice.code, notice.path, "", wrap(notice.text), "told in the newest turn") for notice in untold]
    row = (*turn.messages[:at], told, *turn.messages[at + 1 :])
    return Turn(row), tuple((notice.topic, _digest(notice)) for notice in untold), edits


def find_reminder(block: Block, strict: bytes) -> str:
    """The reminder with this digest in a block; "" when there is none."""
    texts: list[str] = []
    if isinstance(block, Text):
        texts = [block.text, *inside(block.text)]
    elif isinstance(block, ToolResult):
        texts = [text for part in block.content if isinstance(part, Text) for text in inside(part.text)]
    return next((text for text in texts if digest.of_text(text) == strict), "")


def _known(notice: Notice) -> bytes:
    return digest.of_text(notice.known) if notice.known else b""


def _digest(notice: Notice) -> bytes:
    return digest.of_text(notice.text)
