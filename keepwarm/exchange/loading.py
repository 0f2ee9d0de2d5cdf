"""How a model is to be loaded, as its callers say it: one word for all of them (KEY003)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.codec.splice import with_member
from keepwarm.core.prompt import Edit
from keepwarm.rules import key003

_MODELS: Final = 256
"""Models whose options are remembered: their names are the clients' words."""
_OPTIONS: Final = "options"


class Loads:
    """The options that each model of a server was loaded with, as far as callers have named them."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, str]] = {}

    def settle(
        self, model: str, said: Iterable[tuple[str, bytes]]
    ) -> tuple[tuple[tuple[str, bytes], ...], tuple[Edit, ...]]:
        """(members of the body that have to say something else, what was changed) for a request to a model.

        said  members that say how the model is to be loaded, as JSON texts by name
        """
        raws = dict(said)
        values = _flat(raws)
        if not values:
            return (), ()
        held = self._held.pop(model, {})
        fix = key003.settle(values, held)
        self._held[model] = key003.hold(held, fix.value)
        if len(self._held) > _MODELS:
            del self._held[next(iter(self._held))]
        return tuple(_written(raws, fix.value, {edit.path for edit in fix.edits}).items()), fix.edits


def _flat(raws: Mapping[str, bytes]) -> dict[str, str]:
    """The values by pointer; what is no object or has no such value says nothing."""
    found = {f"/{name}": raw for name, raw in raws.items()}
    try:
        inner = msgspec.json.decode(raws.get(_OPTIONS, b"{}"), type=dict[str, msgspec.Raw])
    except UNREADABLE:
        inner = {}
    found |= {f"/{_OPTIONS}/{name}": bytes(raw) for name, raw in inner.items()}
    return {pointer: raw.decode("utf-8", "replace") for pointer, raw in found.items() if pointer in key003.POINTERS}


def _written(raws: Mapping[str, bytes], values: Mapping[str, str], changed: Iterable[str]) -> dict[str, bytes]:
    """The members in which something changed, whole."""
    members: dict[str, bytes] = {}
    for pointer in sorted(changed):
        name, _, inner = pointer[1:].partition("/")
        value = values[pointer].encode()
        if inner:
            value = with_member(members.get(name) or raws.get(name) or b"{}", inner, value)
        members[name] = value
    return members
