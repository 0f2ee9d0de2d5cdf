"""What `keepwarm fix` does to one settings file, decided before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from keepwarm.clients import settings_file
from keepwarm.clients.api import Client, Places, SettingsFile, Want, at
from keepwarm.clients.claude import ELSEWHERE, needs_key
from keepwarm.clients.hunks import unified
from keepwarm.clients.outranked import said_otherwise
from keepwarm.clients.settings_file import Found
from keepwarm.codec.jsonc import parse, value_of
from keepwarm.codec.jsonc_edit import changes, edited
from keepwarm.errors import SettingsError


class Plan(msgspec.Struct, frozen=True):
    """One file."""

    client: str
    """Its name."""
    found: Found
    written: bytes
    """What shall stand there; what stands there when nothing is to be done."""
    diff: tuple[str, ...]
    """A unified diff without secrets; () when nothing is to be done."""
    notes: tuple[str, ...] = ()
    """What a person should know: what wins over the file, what is missing."""


def plan(client: Client, file: SettingsFile, want: Want, places: Places) -> Plan | None:
    """What is to be done; None when nothing is wanted of this file.

    Raises SettingsError for a file that is not what the client reads: it is left alone.
    """
    found = settings_file.look(file.path)
    said = settings_file.understand(found, file.dialect, client.title)
    now = value_of(said.text, said.root) if said.root is not None else {}
    wanted = _without_nothing(client.wanted(file.part, now, want))
    if not wanted:
        return None
    try:
        made = changes(said.text, said.root, wanted)
    except SettingsError as error:
        raise SettingsError(f"{file.path}, {error}", line=error.line, column=error.column) from error
    text = edited(said.text, made)
    _judge(text, now, wanted, file)
    diff = unified(str(file.path), said.text, made, new=found.raw is None)
    written = said.bytes_of(text) if made else found.raw or b""
    return Plan(client.name, found, written, diff, _notes(client, wanted, now, want, places, file))


def _judge(text: str, now: Any, wanted: Mapping[str, Any], file: SettingsFile) -> None:
    """Read what is about to be written: the wanted values stand in it, and nothing else is another than before.

    A fault here is one of keepwarm's own. Raises SettingsError, so that no such file is ever written.
    """
    root = parse(text, file.dialect)
    if root is None or value_of(text, root) != _laid_over(now, wanted):
        raise SettingsError(f"{file.path} is laid out in a way that keepwarm cannot edit: left alone, set it by hand")


def _laid_over(now: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(now)
    for key, value in wanted.items():
        both[key] = _laid_over(both.get(key, {}), value) if isinstance(value, Mapping) else value
    return both


def _without_nothing(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Without objects that hold nothing."""
    kept = {}
    for key, value in wanted.items():
        inner = _without_nothing(value) if isinstance(value, Mapping) else value
        if inner != {} or value == {}:
            kept[key] = inner
    return kept


def _notes(
    client: Client, wanted: Mapping[str, Any], now: Any, want: Want, places: Places, file: SettingsFile
) -> tuple[str, ...]:
    notes = [_won(wanted, other) for other in _stronger(client, places, file)]
    environment = places.environment
    for name, value in dict(wanted.get("env", {})).items():
        there = environment.get(name)
        if there is not None and there != value:
            notes.append(f"{name} in your environment says otherwise, and loses to this file")
    won = [name for name in client.variables if environment.get(name)]
    notes += [f"{name} is set in your environment and wins over this file: take it out there" for name in won]
    if client.name == "claude" and want.door is not None:
        if needs_key(now, environment):
            notes.append(
                "Claude Code wants some key before it starts: "
                "export ANTHROPIC_AUTH_TOKEN=keepwarm, or start it with: keepwarm run claude"
            )
        for name in ELSEWHERE:
            if environment.get(name) or at(now, "env", name):
                notes.append(f"{name} is set: Claude Code does not ask ANTHROPIC_BASE_URL then; take it out")
    if want.door is not None and want.door.key:
        notes.append(
            "the gateway wants its key: keepwarm writes no key into settings, set it where the agent has its own"
        )
    return tuple(note for note in notes if note)


def _stronger(client: Client, places: Places, file: SettingsFile) -> list[SettingsFile]:
    """Settings files that win over one."""
    projects = [one for one in client.files(places) if (one.scope, one.part) == ("project", file.part)]
    return [*client.managed(places), *client.beside(places), *(projects if file.scope == "user" else ())]


def _won(wanted: Mapping[str, Any], other: SettingsFile) -> str:
    differing = said_otherwise(wanted, other)
    return f"{other.path} wins over this file and says otherwise: {', '.join(differing)}" if differing else ""


def as_json(plans: list[Plan], failed: Mapping[str, str], written: Callable[[Plan], bool]) -> str:
    """Plans for a machine: no text of a file but the diff."""
    rows = [
        {
            "client": one.client,
            "file": str(one.found.path),
            "changed": bool(one.diff),
            "written": written(one),
            "diff": list(one.diff),
            "notes": list(one.notes),
        }
        for one in plans
    ]
    return json.dumps({"files": rows, "left_alone": dict(failed)}, indent=2)
