"""The first place where two prompts differ: where it is, what kind of place, and how much stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, Literal, TypeAlias

import msgspec

MOST_LINES: Final = 1_000
"""Of two texts that are compared line by line."""
Where: TypeAlias = Literal["system", "tools", "turn", "options", "template", "none"]


class Difference(msgspec.Struct, frozen=True):
    """Where a prompt parts from the one before it in its conversation."""

    where: Where
    """"none" when the older prompt is a prefix of the newer; "template" where the same words are printed otherwise."""
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
    """"changed", "added", "removed", "reordered"; of a turn "cut" or a `sketch.ChangeKind`."""
    share: float = 0.0
    """How much of the older prompt stands before it at the least, from bytes: 0 for its beginning."""
    most: float = 0.0
    """And at the most: whether the tools stand before the system prompt is the template's affair, and where in a turn
    it lies is not told from bytes."""


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


def hunks(before: str, after: str) -> list[int]:
    """Where two texts differ, as offsets into both of the beginnings of what is not the same; the first one always.

    Line by line, as long as they have few lines that are not the same; and only places that both texts have at the
    same offset can be told that way, so a hunk behind one that changed the length is given at its offset in `before`.
    """
    first = common_prefix(before, after)
    start = before.rfind("\n", 0, first) + 1
    old, new = before[start:].splitlines(keepends=True), after[start:].splitlines(keepends=True)
    if max(len(old), len(new)) > MOST_LINES:
        return [first]
    found = [first]
    at = start
    ends = [at := at + len(line) for line in old]
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal" and i:
            inside = common_prefix("".join(old[i:j]), "".join(new[k:m]))
            found.append(ends[i - 1] + inside)
    return found


def line_around(text: str, offset: int) -> str:
    """The line of `text` that holds the character at `offset`."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start : end if end >= 0 else len(text)]


def excerpt(text: str, offset: int, width: int = 24, *, plain: bool = False) -> str:
    """The text around `offset`; unless it is to be `plain`, its shape and not its words: letters and whatever else is
    not ASCII become x, digits 0, the rest stays.

    Length is kept, so a person can still see that a number or an id changed.
    """
    piece = text[max(0, offset - width // 2) : offset + width]
    return piece if plain else "".join(map(_shape, piece))


def _shape(character: str) -> str:
    if character.isnumeric():
        return "0"
    if character.isalpha() or not character.isascii():
        return "x"
    return " " if character.isspace() else character
