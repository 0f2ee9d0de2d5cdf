"""Cline's command line: `~/.cline/data/settings/providers.json` and `models.json`, chat completions.

`CLINE_PROVIDER_SETTINGS_PATH` names another providers.json for one process; models.json is read beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from keepwarm.clients.api import PLACEHOLDER, Client, Door, Habit, Launch, Places, SettingsFile, Want, at
from keepwarm.codec.jsonc import STRICT

PROVIDER: Final = "openai-compatible"
_WRITTEN: Final = "2026-01-01T00:00:00.000Z"
"""Cline wants a date; a fixed one makes a second `fix` find nothing to do."""


def files(places: Places) -> tuple[SettingsFile, ...]:
    """See Client. A project has no such files."""
    named = places.environment.get("CLINE_DATA_DIR")
    folder = places.under("CLINE_DATA_DIR", "") if named else places.under("CLINE_DIR", ".cline") / "data"
    return (
        SettingsFile(folder / "settings" / "providers.json", "user", STRICT, "providers"),
        SettingsFile(folder / "settings" / "models.json", "user", STRICT, "models"),
    )


def _model(door: Door) -> str:
    return door.model or "local-model"


def _providers(door: Door, key: str) -> dict[str, Any]:
    chosen = {"provider": PROVIDER, "model": _model(door), "baseUrl": f"{door.url}/v1"}
    settings = chosen | ({"apiKey": key} if key else {})
    provider = {"settings": settings, "updatedAt": _WRITTEN, "tokenSource": "manual"}
    return {"version": 1, "lastUsedProvider": PROVIDER, "providers": {PROVIDER: provider}}


def _models(door: Door) -> dict[str, Any]:
    about: dict[str, Any] = {"id": _model(door), "name": _model(door)}
    if door.context:
        about |= {"contextWindow": door.context, "maxTokens": max(1, door.context // 4)}
    provider = {"name": "keepwarm", "baseUrl": f"{door.url}/v1", "defaultModelId": _model(door)}
    return {"version": 1, "providers": {PROVIDER: {"provider": provider, "models": {_model(door): about}}}}


def launch(door: Door, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Launch:
    """See Client. The backend stays in the process: a daemon would outlive it and keep this address."""
    variables = {
        "CLINE_PROVIDER_SETTINGS_PATH": str(PurePath(folder) / "providers.json"),
        "CLINE_PROVIDER": PROVIDER,
        "CLINE_MODEL": _model(door),
        "CLINE_API_KEY": door.key or PLACEHOLDER,
        "CLINE_SESSION_BACKEND_MODE": "local",
    }
    texts = {"providers.json": _providers(door, PLACEHOLDER), "models.json": _models(door)}
    return Launch(tuple(arguments), variables, files={name: json.dumps(text) for name, text in texts.items()})


def wanted(part: str, now: Any, want: Want) -> Mapping[str, Any]:
    """See Client. A key, and the date of a provider that stands there, stay."""
    if want.door is None:
        return {}
    if part == "models":
        return _models(want.door)
    there = at(now, "providers", PROVIDER)
    said = _providers(want.door, "" if at(there, "settings", "apiKey") else PLACEHOLDER)
    if there is not None:
        said["providers"][PROVIDER] = {"settings": said["providers"][PROVIDER]["settings"]}
    return said


CLINE: Final = Client(
    name="cline",
    title="Cline",
    program="cline",
    install="npm install -g cline",
    front="chat",
    files=files,
    launch=launch,
    wanted=wanted,
    variables=("CLINE_PROVIDER_SETTINGS_PATH", "CLINE_PROVIDER"),
    habits=(Habit("no name of the conversation is sent", ("SEA002",)),),
)
