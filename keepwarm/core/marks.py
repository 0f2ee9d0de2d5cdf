"""Cache markers: a request as the row of blocks that a provider with explicit breakpoints caches it by.

Anthropic's Messages API reads tools, then system, then messages, and keeps the prefix up to each block that carries
`cache_control`. What is in a block does not matter here: only where it stands, how large it is, whether it is marked.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, Literal, TypeAlias

import msgspec

Part: TypeAlias = Literal["tools", "system", "messages"]
BYTES_PER_TOKEN: Final = 4
"""About, in English words and code."""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """One block."""

    part: Part
    path: str
    """JSON pointer: "/messages/3/content/0"; "/messages/3/content" and "/system" where that is one string."""
    size: int
    """Bytes of its text in the request."""
    marked: bool = False
    can_hold: bool = True
    """Whether it may be marked: not reasoning, nothing empty, no tool that is loaded later."""
    turn: int = -1
    """Of a message, which turn: each assistant message is one, and each run of others between two of them."""
    asked: bool = False
    """Whether that turn is not the model's own."""
    moves: bool = False
    """Whether its text is likely to change: it holds a date or a time."""


class Row(msgspec.Struct, frozen=True):
    """All blocks of a request, in the order in which the provider reads them."""

    slots: tuple[Slot, ...] = ()
    automatic: bool = False
    """The whole request is marked, so that the provider sets a marker itself."""
    minimum: int = 1024
    """Tokens that a prefix needs to be kept."""
    changed: tuple[str, ...] = ()
    """JSON pointers to places that differ from the request before."""

    @property
    def marks(self) -> list[int]:
        """Where the markers are."""
        return [place for place, slot in enumerate(self.slots) if slot.marked]

    @property
    def is_marked(self) -> bool:
        """Whether the caller says anything about caching."""
        return self.automatic or any(slot.marked for slot in self.slots)

    def tokens(self, place: int) -> int:
        """Tokens up to and with a block, about."""
        return sum(slot.size for slot in self.slots[: place + 1]) // BYTES_PER_TOKEN

    def asked_ends(self) -> list[int]:
        """The last block of each of the client's turns that can hold a marker."""
        ends: dict[int, int] = {}
        for place, slot in enumerate(self.slots):
            if slot.asked and slot.can_hold:
                ends[slot.turn] = place
        return list(ends.values())


def with_marks(row: Row, on: Container[int], off: Container[int] = ()) -> Row:
    """`row` with markers set at the places `on` and taken from those in `off`."""
    slots = tuple(
        msgspec.structs.replace(slot, marked=(slot.marked or place in on) and place not in off)
        for place, slot in enumerate(row.slots)
    )
    return msgspec.structs.replace(row, slots=slots)
