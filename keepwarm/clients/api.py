"""What keepwarm knows of one coding agent: a table a client, and two functions that say how it is set up.

Nothing here starts a program or reads a file: who does so hands over what was found, and gets back what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from keepwarm.codec.jsonc import Dialect

Scope: TypeAlias = Literal["user", "project"]
Version: TypeAlias = tuple[int, ...]
PLACEHOLDER: Final = "keepwarm"
"""Stands where an agent wants some API key and the gateway wants none."""


class Places(msgspec.Struct, frozen=True):
    """Where an agent looks for its settings."""

    home: Path
    """The user's home folder."""
    project: Path
    """The folder in which the agent is started."""
    environment: Mapping[str, str]
    """Variables may move folders: CLAUDE_CONFIG_DIR, XDG_CONFIG_HOME ..."""

    def under(self, variable: str, default: str) -> Path:
        """The folder that a variable names, or `default` below the home folder."""
        named = self.environment.get(variable)
        return Path(named).expanduser() if named else self.home / default


class SettingsFile(msgspec.Struct, frozen=True):
    """One file of an agent's settings."""

    path: Path
    scope: Scope
    dialect: Dialect
    """What the agent reads in it. A file with anything else is ignored by the agent, or stops it."""
    part: str = ""
    """Which of its files it is, where an agent has several: `Client.wanted` is asked for each."""


class Door(msgspec.Struct, frozen=True):
    """The gateway, as an agent is pointed at it."""

    url: str
    """`http://127.0.0.1:8787`, without a path."""
    model: str = ""
    """The name of the server's model; "" when it is not known."""
    context: int | None = None
    """Tokens that a conversation may have; None when the server does not say."""
    key: str = ""
    """What the gateway wants as an API key; "" when it wants none."""
    local: bool = True
    """Whether the model server is on this machine or in its network: it has no use for anybody's real key."""
    first_party: bool = False
    """Whether it is the agent's own vendor, which reads what others are better without."""


class Want(msgspec.Struct, frozen=True):
    """What is asked of a settings file."""

    door: Door | None = None
    """The gateway that the agent shall use; None leaves its address alone."""
    version: Version = ()
    """The agent's version; () when it is not known."""
    statusline: str = ""
    """The command for a status line; "" leaves it alone."""


class Launch(msgspec.Struct, frozen=True):
    """How one process of an agent is started towards a gateway."""

    arguments: tuple[str, ...]
    """All of them, without the program."""
    variables: Mapping[str, str] = {}
    """Environment variables that it gets."""
    without: tuple[str, ...] = ()
    """Environment variables of the caller that it does not get."""
    files: Mapping[str, str] = {}
    """Texts by name in the folder of this process, which is removed afterwards."""


class Habit(msgspec.Struct, frozen=True):
    """Something that some versions of an agent do and that costs the cache, or that a server has to allow for."""

    title: str
    rules: tuple[str, ...] = ()
    """Codes of the rules that name or mend it."""
    since: Version = ()
    """The first version seen with it."""
    until: Version = ()
    """The first version without it; () when it goes on."""
    remedy: str = ""
    """A setting that ends it, `NAME=value`; "" where only the gateway does."""
    strikes: Literal["", "each turn", "each new session"] = ""
    """When it costs the whole prompt; "" where it costs less."""


class Setting(msgspec.Struct, frozen=True):
    """A setting that keeps the cache, or spares it."""

    name: str
    value: str
    why: str
    since: Version = ()
    """The first version that understands it."""
    always: bool = False
    """Whether `keepwarm fix` writes it without a gateway too."""


class Client(msgspec.Struct, frozen=True):
    """One coding agent."""

    name: str
    """What `keepwarm run` calls it."""
    title: str
    program: str
    """The executable's name."""
    install: str
    """The command that installs it."""
    front: Literal["anthropic", "chat"]
    """The protocol it speaks."""
    files: Callable[[Places], tuple[SettingsFile, ...]]
    """Its settings files, the ones that `fix` edits."""
    launch: Callable[[Door, Sequence[str], Mapping[str, str], str], Launch]
    """(gateway, the user's arguments, the caller's environment, folder of this process)"""
    wanted: Callable[[str, Any, Want], Mapping[str, Any]]
    """(part, what the file says now, what is asked): the values that shall stand in the file"""
    managed: Callable[[Places], tuple[SettingsFile, ...]] = lambda _: ()
    """An administrator's settings, strongest first: they win over everything, a launch's own included."""
    beside: Callable[[Places], tuple[SettingsFile, ...]] = lambda _: ()
    """Other files that win over those in `files`, strongest first."""
    settings: tuple[Setting, ...] = ()
    habits: tuple[Habit, ...] = ()
    variables: tuple[str, ...] = ()
    """Variables of the environment that win over the settings files."""


def version_of(text: str) -> Version:
    """The version in what a program prints for --version; () when there is none."""
    found = re.search(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)+)", text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def habits_of(client: Client, version: Version) -> tuple[Habit, ...]:
    """What a version of a client is known to do; every habit when the version is not known."""
    if not version:
        return client.habits
    return tuple(
        habit
        for habit in client.habits
        if (not habit.since or version >= habit.since) and (not habit.until or version < habit.until)
    )


def settings_of(client: Client, version: Version) -> tuple[Setting, ...]:
    """The settings that a version understands; only those that every version does when it is not known."""
    return tuple(one for one in client.settings if not one.since or (version and version >= one.since))


def at(document: Any, *keys: str) -> Any:
    """The value at a path of keys; None when something on the way is no object or is not there."""
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
