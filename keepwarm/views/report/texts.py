"""Words of recorded prompts in a report: only when they are asked for, and only around the breaks."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.views import words
from keepwarm.views.segments import Diff, diff

_BEFORE: Final = 80
"""Characters in front of the break, and of each side behind it:"""
_SHOWN: Final = 240


class Excerpt(msgspec.Struct, frozen=True):
    """The words around the break of one request."""

    id: str
    place: Diff

    def lines(self) -> tuple[str, ...]:
        """As a diff: what was there, what is there now."""
        at = self.place.offset
        shown = (("-", self.place.before[at:]), ("+", self.place.after[at:]))
        same = words.clean(self.place.before[max(0, at - _BEFORE) : at])
        return (f"  {same}", *(f"{sign} {words.clean(text[:_SHOWN]) or '(nothing)'}" for sign, text in shown))


Excerpts: TypeAlias = tuple[Excerpt, ...]


def excerpts(query: Query, records: tuple[Record, ...]) -> Excerpts:
    """Those of the requests of which the texts are kept."""
    found = []
    for record in records:
        after = query.texts(record.id)
        before = query.texts(record.parent) if after is not None and record.parent else None
        if after is not None and before is not None:
            found.append(Excerpt(record.id, diff(record, after, before)))
    return tuple(found)
