"""What the gateway itself tells the model, in the newest turn: there it parts nothing that has been read.

What a rule keeps out of the head (a new date, the state of the project) is told once, and again when it says something
else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.prompt import (
    Block,
    Edit,
    Media,
    Message,
    Notice,
    Opaque,
    Text,
    Tool,
    ToolReference,
    ToolResult,
    Turn,
)
from keepwarm.core.reminder import behind, inside, wrap
from keepwarm.core.sketch import inside_result
from keepwarm.rules import ord002

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


def tell_tools(turn: Turn, waiting: Mapping[str, Tool]) -> tuple[Turn, list[Edit]]:
    """(`turn` with the definition of each of these tools where a result loads it, the edits)."""
    edits: list[Edit] = []

    def told(result: ToolResult, path: str) -> ToolResult:
        row: list[Text | Media | ToolReference | Opaque] = []
        for part in result.content:
            tool = waiting.get(part.name) if isinstance(part, ToolReference) else None
            row.append(part if tool is None else Text(ord002.told(tool)))
            if tool is not None:
                edits.append(Edit("ORD002", path, "", ord002.told(tool), "told where it is loaded"))
        return structs.replace(result, content=tuple(row))

    messages = [
        structs.replace(
            message,
            blocks=tuple(
                told(block, f"/messages/{message.index}/content/{place}") if isinstance(block, ToolResult) else block
                for place, block in enumerate(message.blocks)
            ),
        )
        for message in turn.messages
    ]
    return (Turn(tuple(messages)), edits) if edits else (turn, edits)


def find_reminder(block: Block, strict: bytes) -> str:
    """The reminder with this digest in a block; "" when there is none."""
    texts: list[str] = []
    if isinstance(block, Text):
        texts = [block.text, *inside(block.text)]
    elif isinstance(block, ToolResult):
        texts = [*inside_result(block)]
    return next((text for text in texts if digest.of_text(text) == strict), "")


def _known(notice: Notice) -> bytes:
    return digest.of_text(notice.known) if notice.known else b""


def _digest(notice: Notice) -> bytes:
    return digest.of_text(notice.text)
