"""A view written down: its body, and the JSON pointer of everything that can be pointed at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from keepwarm.testing.scenarios.truth import Place

Key: TypeAlias = tuple[str, str]
"""(kind of `Place`, tag); of the kind "behind", what the end of a message stands behind; of the kind "gone", where
a part that is gone had a place of its own."""


class Heard(msgspec.Struct, frozen=True):
    """What only the answers tell a client, and it has to send back."""

    ids: Mapping[str, str] = {}
    """The id of each tool call, by its tag."""
    signatures: Mapping[str, str] = {}
    """The signature of the reasoning in each answer, by the tag of its part."""

    def id(self, tag: str) -> str:
        """A call's id; one that is made up where nothing was heard."""
        return self.ids.get(tag) or "toolu_" + tag.replace(".", "_")


class Written(msgspec.Struct, frozen=True):
    """A request's body."""

    body: bytes
    things: Mapping[Key, str]
    """The JSON pointer of each thing."""
    fields: Mapping[tuple[str, str, str], str]
    """(kind, tag, field): the pointer of what the thing says, where that is not the thing's own."""

    def pointer(self, place: Place) -> str:
        """Where a place of the view stands in the body.

        Of something that another injection has taken out, what it stood in. KeyError for what never stood there.
        """
        own = self.things.get(("gone", place.gone)) or self.things.get((place.kind, place.tag))
        if own is None:
            whole = ("end", place.tag.partition(".")[0]) if place.kind == "part" else (place.kind, "")
            return self.things[whole]
        return self.fields.get((place.kind, place.tag, place.field), own) if place.field else own
