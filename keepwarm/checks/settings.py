"""What the environment and the settings files say to Claude Code, without a key in it.

A settings file's `env` table wins over the process's environment, and of the files the first one: managed, local, the
project's, the user's (measured with 2.1.39 and 2.1.328). Where two places say different things doctor says so, because
the one that loses is what its owner believes in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from keepwarm.checks.finding import Finding

ENVIRONMENT: Final = "the environment"
HEADER: Final = "CLAUDE_CODE_ATTRIBUTION_HEADER"
BASE_URL: Final = "ANTHROPIC_BASE_URL"
WATCHED: Final = (
    HEADER,
    BASE_URL,
    "ANTHROPIC_MODEL",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_GATEWAY_HINT_HEADERS",
    "ENABLE_TOOL_SEARCH",
    "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL",
    "OPENAI_BASE_URL",
)
"""Names whose values are shown."""
SECRET: Final = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
"""Names of which it is only said that they are set."""
_OFF_WORDS: Final = ("0", "false", "no", "off")


class Place(msgspec.Struct, frozen=True):
    """A settings file as it was found."""

    path: str
    text: str | None = None
    """None where it could not be read."""
    fault: str = ""
    """Why not."""


class Said(msgspec.Struct, frozen=True):
    """One value at one place."""

    name: str
    value: str
    """"(set)" for what is secret."""
    place: str


class Settings(msgspec.Struct, frozen=True):
    """What all places say."""

    said: tuple[Said, ...] = ()
    """Of one name the one that counts first."""
    faults: tuple[Finding, ...] = ()
    """Files that cannot be read, with the line and column of the error."""

    def of(self, name: str) -> tuple[Said, ...]:
        """What is said under one name, the one that counts first."""
        return tuple(one for one in self.said if one.name == name)

    @property
    def header_off(self) -> bool:
        """Whether the billing line is switched off."""
        return any(one.value.strip().lower() in _OFF_WORDS for one in self.of(HEADER)[:1])

    @property
    def base_url(self) -> str:
        """Where Claude Code is pointed; "" where nothing says it."""
        return next((one.value.rstrip("/") for one in self.of(BASE_URL)), "")


def read_settings(environment: Mapping[str, str], places: Sequence[Place]) -> Settings:
    """All that is said under the names of WATCHED and SECRET.

    places  the one that counts first in front
    """
    said: list[Said] = []
    faults: list[Finding] = []
    for place in places:
        if place.text is None:
            faults.append(_unreadable(place.path, place.fault))
            continue
        try:
            value: Any = json.loads(place.text.removeprefix("\ufeff") or "{}")
        except json.JSONDecodeError as error:
            faults.append(_unreadable(place.path, f"line {error.lineno}, column {error.colno}: {error.msg}"))
            continue
        table = value.get("env") if isinstance(value, dict) else None
        said += _picked(table if isinstance(table, dict) else {}, place.path)
    said += _picked(environment, ENVIRONMENT)
    return Settings(tuple(said), tuple(faults))


def plain_url(url: str) -> str:
    """An address without a user, a password or a query in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no address)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}".rstrip("/")


def judge_settings(settings: Settings, gateway: str) -> list[Finding]:
    """Findings about what is said.

    gateway  where keepwarm runs, or would
    """
    found = list(settings.faults)
    for name in WATCHED:
        values = settings.of(name)
        if len({one.value for one in values}) > 1:
            found.append(_disagree(name, values))
    found.append(_header(settings))
    found.append(_base_url(settings, gateway))
    secrets = sorted({f"{one.name} ({one.place})" for one in settings.said if one.name in SECRET})
    others = [f"{one.name}={one.value} ({one.place})" for one in settings.said if one.name in WATCHED[2:]]
    if others or secrets:
        title = "Also set: " + ", ".join([*others, *secrets]) + "."
        found.append(Finding(area="settings", code="also-set", severity="info", title=title))
    return found


def _picked(table: Mapping[str, Any], place: str) -> list[Said]:
    rows: list[Said] = []
    for name in (*WATCHED, *SECRET):
        value = table.get(name)
        if value is None or value == "":
            continue
        shown = "(set)" if name in SECRET else str(value)
        rows.append(
            Said(
                name, plain_url(shown) if name.endswith("_URL") and name in WATCHED[:2] + WATCHED[-1:] else shown, place
            )
        )
    return rows


def _unreadable(path: str, fault: str) -> Finding:
    return Finding(
        area="settings",
        code="settings-unreadable",
        severity="warn",
        title=f"{path} cannot be read: {fault}.",
        detail="Claude Code ignores a file that is not JSON, and with it every setting in it.",
        command=f"python3 -m json.tool {path}",
    )


def _disagree(name: str, values: Sequence[Said]) -> Finding:
    words = ", ".join(f"{one.value} in {one.place}" for one in values)
    return Finding(
        area="settings",
        code="settings-disagree",
        severity="warn",
        title=f"{name} is said twice, and differently: {words}.",
        detail=f"What counts is {values[0].value}.",
        command="keepwarm fix claude",
    )


def _header(settings: Settings) -> Finding:
    values = settings.of(HEADER)
    if settings.header_off:
        return Finding(
            area="settings",
            code="header-off",
            severity="ok",
            title=f"{HEADER} is off ({values[0].place}): no billing line in the prompt.",
        )
    title = f"{HEADER} is not set." if not values else f"{HEADER} is {values[0].value} ({values[0].place})."
    return Finding(
        area="settings",
        code="header-on",
        severity="info",
        title=title,
        detail="Whether that costs anything here is told under client and cache.",
        command="keepwarm fix claude",
    )


def _base_url(settings: Settings, gateway: str) -> Finding:
    url = settings.base_url
    if url and url == gateway.rstrip("/"):
        said = f"{BASE_URL} points at keepwarm ({url})."
        return Finding(area="settings", code="base-url", severity="ok", title=said)
    if url:
        title = f"{BASE_URL} is {url}, which is not keepwarm ({gateway})."
    else:
        title = f"{BASE_URL} is not set: Claude Code talks to Anthropic, unless it is set where it is started."
    return Finding(area="settings", code="base-url", severity="info", title=title, command="keepwarm run claude")
