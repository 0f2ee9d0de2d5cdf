"""The first place where two prompts differ: where it is, what kind of place, and how much stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

Where: TypeAlias = Literal["system", "tools", "turn", "options", "none"]


class Difference(msgspec.Struct, frozen=True):
    """Where a prompt parts from the one before it in its conversation."""

    where: Where
    """"none" when the older prompt is a prefix of the newer."""
    path: str = ""
    """JSON pointer into the newer request's body."""
    what: str = ""
    """In words: "system[2]", "messages[7] (user)"."""
    before: str = ""
    """The text that stood at `path`: never written down unless recording is on."""
    after: str = ""
    """The text that stands there now."""
    offset: int = 0
    """Characters that the two texts share."""
    kind: str = ""
    """"changed", "added", "removed", "reordered"."""


def common_prefix(before: Sequence[object], after: Sequence[object]) -> int:
    """How many characters two texts share at their beginning (or elements, two rows).

    Halving with slice comparison: the interpreter compares slices at memory speed, a loop does not.
    """
    low, high = 0, min(len(before), len(after))
    if before[:high] == after[:high]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if before[low:middle] == after[low:middle]:
            low = middle
        else:
            high = middle
    return low


def line_around(text: str, offset: int) -> str:
    """The line of `text` that holds the character at `offset`."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : end if end >= 0 else len(text)]


def redacted(text: str, offset: int, width: int = 24) -> str:
    """The shape of a text around `offset`, not its words: letters become x, digits 0, the rest stays.

    Length is kept, so a person can still see that a number or an id changed.
    """
    piece = text[max(0, offset - width // 2) : offset + width]
    return "".join("x" if c.isalpha() else "0" if c.isdigit() else " " if c.isspace() else c for c in piece)
