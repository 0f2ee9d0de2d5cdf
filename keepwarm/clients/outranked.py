"""Whether another settings file says otherwise than what is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keepwarm.clients import settings_file
from keepwarm.clients.api import SettingsFile
from keepwarm.codec.jsonc import value_of
from keepwarm.errors import SettingsError


def said_otherwise(wanted: Mapping[str, Any], file: SettingsFile) -> list[str]:
    """The names ("env.NAME") of the values that a file has and has otherwise; [] when it cannot be read."""
    try:
        said = settings_file.understand(settings_file.look(file.path), file.dialect, "")
    except SettingsError:  # what cannot be read says nothing to the agent either
        return []
    return _differing(wanted, value_of(said.text, said.root)) if said.root is not None else []


def _differing(wanted: Mapping[str, Any], other: Any, under: str = "") -> list[str]:
    found: list[str] = []
    for key, value in wanted.items():
        if not isinstance(other, Mapping) or key not in other:
            continue
        if isinstance(value, Mapping):
            found += _differing(value, other[key], f"{under}{key}.")
        elif other[key] != value:
            found.append(f"{under}{key}")
    return found
