"""Words of recorded prompts in a report: only when they are asked for, and only around the breaks."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.views import words
from keepwarm.views.top.parting import Break, part

_SHOWN: Final = 240
"""Characters of each side."""


class Excerpt(msgspec.Struct, frozen=True):
    """The words around the break of one request."""

    id: str
    place: Break

    def lines(self) -> tuple[str, ...]:
        """As a diff: what was there, what is there now."""
        shown = (("-", self.place.before), ("+", self.place.after))
        return tuple(f"{sign} {words.clean(text[:_SHOWN]) or '(nothing)'}" for sign, text in shown)


Excerpts: TypeAlias = tuple[Excerpt, ...]


def excerpts(query: Query, records: tuple[Record, ...]) -> Excerpts:
    """Those of the requests of which the texts are kept."""
    found = []
    for record in records:
        after = query.texts(record.id)
        before = query.texts(record.parent) if after is not None and record.parent else None
        parting = part(record, before, after)
        if parting.grade == "recorded":
            found.append(Excerpt(record.id, parting.breaks[0]))
    return tuple(found)
