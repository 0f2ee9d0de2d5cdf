"""OpenCode: `~/.config/opencode/opencode.json` or `.jsonc`, a provider of OpenAI's kind, chat completions.

`OPENCODE_CONFIG_CONTENT` is a whole configuration for one process; it is laid over the files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keepwarm.clients.api import PLACEHOLDER, Client, Door, Habit, Launch, Places, SettingsFile, Want, at
from keepwarm.codec.jsonc import JSONC

CONTENT: Final = "OPENCODE_CONFIG_CONTENT"
_UNNAMED: Final = "local-model"
"""The model's name where the server has none to tell."""
_OUTPUT_SHARE: Final = 8
"""Of the context an answer may take one in so many, as far as the agent plans; a server has no such limit."""


def files(places: Places) -> tuple[SettingsFile, ...]:
    """See Client: of two names the one that is there."""
    user = places.under("XDG_CONFIG_HOME", ".config") / "opencode"
    found = []
    for folder, scope in ((user, "user"), (places.project, "project")):
        commented = folder / "opencode.jsonc"
        path = commented if commented.exists() else folder / "opencode.json"
        found.append(SettingsFile(path, "user" if scope == "user" else "project", JSONC))
    return tuple(found)


def configuration(door: Door, key: str) -> dict[str, Any]:
    """Provider and model for a gateway; `key` "" leaves the key as it is."""
    model = door.model or _UNNAMED
    about: dict[str, Any] = {"name": model}
    if door.context:
        about["limit"] = {"context": door.context, "output": max(1, door.context // _OUTPUT_SHARE)}
    options = {"baseURL": f"{door.url}/v1", **({"apiKey": key} if key else {})}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "keepwarm", "options": options, "models": {model: about}}
    return {"provider": {"keepwarm": provider}, "model": f"keepwarm/{model}"}


def launch(door: Door, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Launch:
    """See Client."""
    said = configuration(door, door.key or PLACEHOLDER)
    if "-m" in arguments or "--model" in arguments:
        del said["model"]
    try:
        before = json.loads(environment.get(CONTENT) or "{}")
    except ValueError:
        before = {}
    if isinstance(before, dict):
        providers = before.get("provider") if isinstance(before.get("provider"), dict) else {}
        said = before | said | {"provider": {**(providers or {}), **said["provider"]}}
    return Launch(tuple(arguments), {CONTENT: json.dumps(said)})


def wanted(part: str, now: Any, want: Want) -> Mapping[str, Any]:
    """See Client. A key that stands there stays; the gateway's own is never written."""
    if want.door is None:
        return {}
    there = at(now, "provider", "keepwarm", "options", "apiKey")
    return configuration(want.door, "" if there else PLACEHOLDER)


OPENCODE: Final = Client(
    name="opencode",
    title="OpenCode",
    program="opencode",
    install="npm install -g opencode-ai",
    front="chat",
    files=files,
    launch=launch,
    wanted=wanted,
    variables=(CONTENT, "OPENCODE_CONFIG"),
    habits=(
        Habit("tool arguments are written anew, without blanks", ("HIS003",)),
        Habit("a title call in front of the first turn", ("SEA001",)),
        Habit("compaction uses another system prompt", ("HIS005",)),
    ),
)
