"""pi, the coding agent of pi-mono: `~/.pi/agent/models.json` and `settings.json`, chat completions.

For one process an extension registers the provider (`pi -e FILE`): `PI_CODING_AGENT_DIR` would hide the user's own
sessions. In models.json it reads `//` comments and trailing commas, settings.json is strict JSON (0.73.1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from keepwarm.clients.api import PLACEHOLDER, Client, Door, Habit, Launch, Places, SettingsFile, Want, at
from keepwarm.codec.jsonc import STRICT, Dialect

KEY_VARIABLE: Final = "KEEPWARM_AGENT_KEY"
"""Where the extension finds the key: it does not stand in a file."""
_COMMANDS: Final = frozenset({"install", "remove", "uninstall", "update", "list", "config"})
_MODELS: Final = Dialect(comments=True, trailing_commas=True, blocks=False)
_CONTEXT: Final = 32_768
"""What pi is told where the server does not say."""


def files(places: Places) -> tuple[SettingsFile, ...]:
    """See Client."""
    folder = places.under("PI_CODING_AGENT_DIR", ".pi/agent")
    return (
        SettingsFile(folder / "models.json", "user", _MODELS, "models"),
        SettingsFile(folder / "settings.json", "user", STRICT, "settings"),
        SettingsFile(places.project / ".pi" / "settings.json", "project", STRICT, "settings"),
    )


def _model(door: Door) -> str:
    return door.model or "local-model"


def _provider(door: Door, key: str) -> dict[str, Any]:
    context = door.context or _CONTEXT
    model = {
        "id": _model(door),
        "name": _model(door),
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": context,
        "maxTokens": max(1, context // 4),
    }
    return {"baseUrl": f"{door.url}/v1", "api": "openai-completions", "apiKey": key, "models": [model]}


def launch(door: Door, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Launch:
    """See Client."""
    given = list(arguments)
    if given and given[0] in _COMMANDS:
        return Launch(tuple(given))
    name = "keepwarm-provider.js"
    provider = json.dumps(_provider(door, KEY_VARIABLE), indent=2)
    text = f'export default function (pi) {{\n  pi.registerProvider("keepwarm", {provider});\n}}\n'
    chosen = [] if {"--model", "--provider"} & set(given) else ["--provider", "keepwarm", "--model", _model(door)]
    return Launch(
        ("-e", str(PurePath(folder) / name), *chosen, *given),
        {KEY_VARIABLE: door.key or PLACEHOLDER},
        files={name: text},
    )


def wanted(part: str, now: Any, want: Want) -> Mapping[str, Any]:
    """See Client. A key that stands there stays."""
    if want.door is None:
        return {}
    if part == "settings":
        return {"defaultProvider": "keepwarm", "defaultModel": _model(want.door)}
    provider = _provider(want.door, PLACEHOLDER)
    if at(now, "providers", "keepwarm", "apiKey"):
        del provider["apiKey"]
    return {"providers": {"keepwarm": provider}}


PI: Final = Client(
    name="pi",
    title="pi",
    program="pi",
    install="npm install -g @mariozechner/pi-coding-agent",
    front="chat",
    files=files,
    launch=launch,
    wanted=wanted,
    habits=(Habit("no name of the conversation is sent with chat completions", ("SEA002",)),),
)
