"""The diff at the break: the words around the first place where a prompt is not the one before it.

The words are there only where the texts were recorded. Else the ledger has the shape of what stood at each place:
letters and figures hidden, lengths kept.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

import msgspec

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.records import Record, Recording

BEFORE_SHOWN: Final = 160
"""Characters that are shown in front of the break."""
AFTER_SHOWN: Final = 480
"""And behind it, on each side."""
_MARKER: Final = re.compile(r',\s*"cache_control"\s*:\s*(?:\{[^{}]*\}|null)|"cache_control"\s*:\s*\{[^{}]*\}\s*,?')
Grade: TypeAlias = Literal["recorded", "shape", "none"]


class Break(msgspec.Struct, frozen=True):
    """One place where two prompts part."""

    where: str
    """In words: "system[0], 57 characters in"."""
    path: str
    code: str
    """The rule that knows it; "" when none does."""
    same: str
    """What stands in front of it in both; "" when only the shape is known."""
    before: str
    after: str


class Parting(msgspec.Struct, frozen=True):
    """All there is to show of how two requests part."""

    grade: Grade
    """`recorded`: the words; `shape`: letters and figures are hidden; `none`: the prompt was only added to."""
    breaks: tuple[Break, ...] = ()


def part(
    record: Record,
    before: Recording | None = None,
    after: Recording | None = None,
) -> Parting:
    """Where `record` parts from the request before it.

    before  the texts of the request before it, where they are kept
    after   its own
    """
    shapes = _shapes(record)
    if before is not None and after is not None:
        words = _words(before, after, shapes[0] if shapes else None)
        if words is not None:
            return Parting("recorded", (words, *shapes[1:]))
    return Parting("shape", shapes) if shapes else Parting("none")


def _shapes(record: Record) -> tuple[Break, ...]:
    verdict = record.verdict
    if verdict is None:
        return ()
    places = verdict.places or ((verdict.place,) if verdict.place is not None else ())
    return tuple(
        Break(
            f"{place.what}, {place.offset:,} characters in" if place.offset else place.what,
            place.path,
            place.code,
            "",
            place.before,
            place.after,
        )
        for place in places
    )


def _words(before: Recording, after: Recording, known: Break | None) -> Break | None:
    """The first text of what went to the server that is not the same; None where the newer only adds to the older."""
    old, new = ([_plain(text) for _, text in recording.sent] for recording in (before, after))
    place = common_prefix(old, new)
    if place >= len(old):
        return None
    was, now = old[place], new[place] if place < len(new) else ""
    at = common_prefix(was, now)
    same = was[max(0, at - BEFORE_SHOWN) : at]
    where, path, code = (known.where, known.path, known.code) if known else (f"text {place + 1} of the prompt", "", "")
    return Break(where, path, code, same, was[at : at + AFTER_SHOWN], now[at : at + AFTER_SHOWN])


def _plain(text: bytes) -> str:
    """A text without cache markers: they move from turn to turn, and no template shows them."""
    return _MARKER.sub("", text.decode("utf-8", "replace"))
