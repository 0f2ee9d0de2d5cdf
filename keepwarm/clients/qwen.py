"""Qwen Code: `~/.qwen/settings.json`, chat completions.

Measured with 0.24.4: it reads comments and a byte-order mark, and ends with an error at a trailing comma. For the
address the environment wins over the file, for the model's name the file wins over the environment and `--model` over
both. It writes its settings anew, in its own layout, when it starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keepwarm.clients.api import PLACEHOLDER, Client, Door, Habit, Launch, Places, SettingsFile, Want, at
from keepwarm.codec.jsonc import Dialect

_COMMANDS: Final = frozenset(
    {"auth", "board", "channel", "extensions", "hooks", "mcp", "review", "sandbox", "serve", "sessions", "update"}
)
_DIALECT: Final = Dialect(comments=True)


def files(places: Places) -> tuple[SettingsFile, ...]:
    """See Client."""
    return (
        SettingsFile(places.under("QWEN_HOME", ".qwen") / "settings.json", "user", _DIALECT),
        SettingsFile(places.project / ".qwen" / "settings.json", "project", _DIALECT),
    )


def launch(door: Door, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Launch:
    """See Client."""
    model = door.model or environment.get("OPENAI_MODEL") or "local-model"
    variables = {"OPENAI_BASE_URL": f"{door.url}/v1", "OPENAI_MODEL": model}
    if door.key or door.local or not environment.get("OPENAI_API_KEY"):
        variables["OPENAI_API_KEY"] = door.key or PLACEHOLDER
    given = list(arguments)
    if not given or given[0] not in _COMMANDS:
        chosen = [] if "-m" in given or "--model" in given else ["--model", model]
        given = ["--auth-type", "openai", *chosen, *given]
    return Launch(tuple(given), variables)


def wanted(part: str, now: Any, want: Want) -> Mapping[str, Any]:
    """See Client. A key that stands there stays."""
    if want.door is None:
        return {}
    auth: dict[str, Any] = {"selectedType": "openai", "baseUrl": f"{want.door.url}/v1"}
    if not at(now, "security", "auth", "apiKey"):
        auth["apiKey"] = PLACEHOLDER
    model = {"model": {"name": want.door.model}} if want.door.model else {}
    return {"security": {"auth": auth}, **model}


QWEN: Final = Client(
    name="qwen",
    title="Qwen Code",
    program="qwen",
    install="npm install -g @qwen-code/qwen-code",
    front="chat",
    files=files,
    launch=launch,
    wanted=wanted,
    variables=("OPENAI_BASE_URL",),
    habits=(
        Habit("git status and the folder tree in the system prompt", ("VOL004",)),
        Habit("the reminder of the date moves to the newest turn", ("HIS001",)),
        Habit("side calls for memories and suggestions carry the whole history", ("SEA001",)),
        Habit("no name of the conversation is sent", ("SEA002",)),
    ),
)
