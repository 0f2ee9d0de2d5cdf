"""Which of the places where two requests differ is the one where their prompts part.

The words around the place are known from the prompts themselves, and those of each difference from the requests. A
template prints most words as they are, and escapes the others as JSON does: so they are compared without what that
changes. A difference of which no words are printed (the order of tools, a message that is gone) is known by how far in
it stands.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.verdict import SLACK, Predecessor, Suspect

_ESCAPED: Final = re.compile(r"\\[nrt]|[\s\\\"']")
_REACH: Final = 160
"""Characters on each side of a place that are looked at."""
_ENOUGH: Final = 24
"""So many that are the same on both sides together are no accident."""
_UNSURE: Final = 0.1
"""How far an estimate from bytes may be off, as a part of the prompt."""


class Parting(msgspec.Struct, frozen=True):
    """The place where two prompts part."""

    shared: int
    """Tokens in front of it."""
    front: str
    """The last words in front of it."""
    old: str
    """The words behind it in the older prompt."""
    new: str
    """And in the newer one."""
    at: int = -1
    """Characters in front of it; -1 where that is not known."""


def narrow(suspects: tuple[Suspect, ...], parting: Parting, before: Predecessor) -> tuple[Suspect, ...]:
    """The suspects from the one on where the prompts part; none where it is none of them."""
    fits = [_fit(one, parting) for one in suspects]
    found = fits.index(max(fits)) if any(fits) else -1
    if found < 0:
        unsure = max(SLACK, round(_UNSURE * (before.prompt_tokens or 0)))
        near = (
            at
            for at, one in enumerate(suspects)
            if before.at(one.difference.share) - unsure <= parting.shared <= before.at(one.difference.most) + unsure
        )
        found = next(near, -1)
    return suspects[found:] if found >= 0 else ()


def _fit(suspect: Suspect, parting: Parting) -> float:
    """How far the words of a difference are the words at the place, in the older prompt and in the newer one: 1.0 where
    all of them are, 0.0 where it is another place."""
    difference = suspect.difference
    pairs = ((difference.before, parting.old), (difference.after, parting.new))
    at = difference.offset
    rows = [_same(text[:at], text[at:], parting.front, behind) for text, behind in pairs]
    if sum(most for _, most in rows) < _ENOUGH or any(same < min(_ENOUGH, most) for same, most in rows):
        return 0.0
    return sum(same for same, _ in rows) / sum(most for _, most in rows)


def _same(text: str, rest: str, front: str, behind: str) -> tuple[int, int]:
    """(characters that two texts cut in two have in common around the cut, how many there could be)."""
    left, right = _plain(text[-_REACH:]), _plain(rest[:_REACH])
    before, after = _plain(front[-_REACH:]), _plain(behind[:_REACH])
    same = common_prefix(left[::-1], before[::-1]) + common_prefix(right, after)
    return same, min(len(left), len(before)) + min(len(right), len(after))


def _plain(text: str) -> str:
    return _ESCAPED.sub("", text)
