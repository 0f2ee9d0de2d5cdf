"""Claude Code: `~/.claude/settings.json`, variables in its `env`, the Messages API.

Measured with 2.1.39 and 2.1.328: it reads strict JSON (a byte-order mark may stand in front). With a comment or a
trailing comma it ignores the whole file and says nothing. A variable under `env` wins over the same variable of the
environment; the order is managed settings, `--settings`, settings.local.json, the project's file, the user's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from keepwarm.clients.api import (
    PLACEHOLDER,
    Client,
    Door,
    Habit,
    Launch,
    Places,
    Setting,
    SettingsFile,
    Want,
    at,
    settings_of,
)
from keepwarm.codec.jsonc import STRICT

HEADER_OFF: Final = "CLAUDE_CODE_ATTRIBUTION_HEADER"
HINTS: Final = "CLAUDE_CODE_GATEWAY_HINT_HEADERS"
BASE_URL: Final = "ANTHROPIC_BASE_URL"
KEYS: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
MODELS: Final = ("ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
"""The model of the conversation, and that of side calls."""
CONTEXT: Final = "CLAUDE_CODE_MAX_CONTEXT_TOKENS"
LEAST_CONTEXT: Final = 32_768
"""Below it there is no room to compact in; the server's own refusal is the better word then."""
ELSEWHERE: Final = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
"""With one of these it never asks the base URL."""
_MANAGED: Final = {
    "darwin": "/Library/Application Support/ClaudeCode",
    "win32": "C:/Program Files/ClaudeCode",
}
_COMMANDS: Final = frozenset(
    {"mcp", "plugin", "doctor", "update", "install", "config", "auth", "setup-token", "agents"}
)
"""Sub-commands take no options in front of them."""


def files(places: Places) -> tuple[SettingsFile, ...]:
    """See Client."""
    return (
        SettingsFile(places.under("CLAUDE_CONFIG_DIR", ".claude") / "settings.json", "user", STRICT),
        SettingsFile(places.project / ".claude" / "settings.json", "project", STRICT),
    )


def managed(places: Places) -> tuple[SettingsFile, ...]:
    """See Client."""
    folder = managed_folder()
    parts = sorted((folder / "managed-settings.d").glob("*.json"), reverse=True)
    return tuple(SettingsFile(path, "user", STRICT) for path in (*parts, folder / "managed-settings.json"))


def beside(places: Places) -> tuple[SettingsFile, ...]:
    """See Client: one person's settings of a project."""
    return (SettingsFile(places.project / ".claude" / "settings.local.json", "project", STRICT),)


def managed_folder() -> Path:
    """Where an administrator's settings are, on this system."""
    return Path(_MANAGED.get(sys.platform, "/etc/claude-code"))


def launch(door: Door, arguments: Sequence[str], environment: Mapping[str, str], folder: str) -> Launch:
    """See Client. What stands in a settings file would win over the environment, so `--settings` says it too."""
    said = {BASE_URL: door.url, HINTS: "1"}
    if not door.first_party:
        said[HEADER_OFF] = "0"
    if door.local:
        # A title call beside the first turn, telemetry: nothing that a local model should be kept from work by.
        said |= {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
        said |= {} if not door.model else dict.fromkeys(MODELS, door.model)
        if door.context and door.context >= LEAST_CONTEXT:
            said[CONTEXT] = str(door.context)  # of a model that it does not know it assumes a million tokens
    said = {name: value for name, value in said.items() if name not in _left_alone(environment)}
    without: tuple[str, ...] = ELSEWHERE
    key = door.key or (PLACEHOLDER if door.local or not any(environment.get(name) for name in KEYS) else "")
    variables = dict(said)
    if key:
        # A token is taken as it is; an API key it has never seen it asks about first.
        variables |= {KEYS[1]: key}
        without += KEYS[:1]
    given = list(arguments)
    if not given or given[0] not in _COMMANDS:
        given = ["--settings", json.dumps({"env": said}), *given] if "--settings" not in given else given
    return Launch(tuple(given), variables, without)


def _left_alone(environment: Mapping[str, str]) -> set[str]:
    """What the user says in the environment of this very process stands, but for address and header."""
    return {name for name in (*MODELS, CONTEXT, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC") if environment.get(name)}


def wanted(part: str, now: Any, want: Want) -> Mapping[str, Any]:
    """See Client."""
    chosen = [one for one in settings_of(CLAUDE, want.version) if one.always or want.door is not None]
    env = {one.name: one.value for one in chosen if one.value}
    if want.door is not None:
        env[BASE_URL] = want.door.url
    line = {"statusLine": {"type": "command", "command": want.statusline}} if want.statusline else {}
    return {"env": env, **line}


def needs_key(now: Any, environment: Mapping[str, str]) -> bool:
    """Whether neither settings nor environment give it a key, so that it would ask for a login."""
    return not any(at(now, "env", name) or environment.get(name) for name in KEYS) and not at(now, "apiKeyHelper")


CLAUDE: Final = Client(
    name="claude",
    title="Claude Code",
    program="claude",
    install="npm install -g @anthropic-ai/claude-code",
    front="anthropic",
    files=files,
    launch=launch,
    wanted=wanted,
    managed=managed,
    beside=beside,
    settings=(
        Setting(HEADER_OFF, "0", "no billing line at the head of the prompt", always=True),
        Setting(HINTS, "1", "headers that say which agent asks and what for", since=(2, 1, 273)),
        Setting(CONTEXT, "", "compaction in time, of a model that it does not know (run sets it)"),
        Setting("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "", "no title call beside the first turn (run sets it)"),
    ),
    habits=(
        Habit(
            "a billing line at the head of the prompt, constant within a session",
            ("VOL001",),
            until=(2, 1, 113),
            remedy=f"{HEADER_OFF}=0",
            strikes="each new session",
        ),
        Habit(
            "a billing line at the head of the prompt that is new in each request",
            ("VOL001",),
            since=(2, 1, 113),
            until=(2, 1, 181),
            remedy=f"{HEADER_OFF}=0",
            strikes="each turn",
        ),
        Habit(
            "a billing line at the head of the prompt that is new in each session",
            ("VOL001",),
            since=(2, 1, 181),
            remedy=f"{HEADER_OFF}=0",
            strikes="each new session",
        ),
        Habit("tool arguments are rewritten before they are sent back", ("HIS003",)),
        Habit("the cache mark moves, and a message turns from a list into a string", ("HIS006",)),
        Habit("a title call beside the first turn", ("SEA001",), remedy="CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"),
        Habit("git status and the date in the system prompt", ("VOL003", "VOL004"), until=(2, 1, 114)),
        Habit("system messages between the turns", ("ROL001",), since=(2, 1, 181)),
        Habit(
            "ToolSearch puts loaded tools among the others",
            ("ORD002",),
            since=(2, 1, 181),
            remedy="ENABLE_TOOL_SEARCH=false",
        ),
    ),
)
