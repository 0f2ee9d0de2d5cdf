"""What the coding agents that speak Chat Completions have in common, as the tests drive them.

Each agent is one file beside this one: how it is configured, how it is asked without a terminal, how it says what it
did, and how its tools are called. Each user turn is a process of its own; the second one and all behind it take the
session up again from what the agent has written to its home.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias

import msgspec

from keepwarm.testing.agent_process import agent_process

ToolCall: TypeAlias = tuple[str, str]
"""A tool's name and its arguments as the raw JSON text that the model generates."""

MODEL = "local-model"
"""The model's name in every agent's settings."""
CONTEXT_TOKENS = 49_152
"""How much an agent is told that the model can read."""
OUTPUT_TOKENS = 8_192
"""How much an agent is told that the model can write."""


class Hands(msgspec.Struct, frozen=True):
    """How one agent's tools are called, in an order of arguments that its own schemas do not have."""

    shell: Callable[[str], ToolCall]
    """(command)"""
    write: Callable[[str, str], ToolCall]
    """(path, text): a file that is not there yet"""
    read: Callable[[str], ToolCall]
    """(path)"""
    edit: Callable[[str, str, str], ToolCall]
    """(path, old text, new text)"""
    scout: Callable[[str], ToolCall] | None = None
    """(task): a sub-agent that is waited for; None where the agent has none."""


class Heard(msgspec.Struct, frozen=True):
    """What an agent's output tells of its turn."""

    said: str = ""
    """Its last words."""
    ran: int = 0
    """Tool calls that ended, well or not."""
    failed: tuple[str, ...] = ()
    """What those said that did not end well."""


class AgentRun(msgspec.Struct, frozen=True):
    """One process of an agent that ended by itself."""

    returncode: int
    heard: Heard
    stdout: str
    stderr: str
    seconds: float
    """From the start of the process to its end."""


class ChatAgent(Protocol):
    """An installation with a home and a working folder of its own."""

    name: ClassVar[str]
    """Product and version, as reports show it."""
    hands: ClassVar[Hands]

    def __init__(self, home: Path, base_url: str, workdir: Path) -> None:
        """Writes the settings into `home`. ValueError for a `base_url` elsewhere, ClientMissing without the agent."""

    async def run(self, prompt: str, continue_: bool = False, timeout: float = 180.0) -> AgentRun:
        """One user turn in a process of its own; `continue_` goes on from the turn before. Raises ClientTimeout."""


def call(tool: str, **arguments: Any) -> ToolCall:
    """A tool call whose arguments are written the way models write them: with blanks behind commas and colons."""
    return tool, json.dumps(arguments, ensure_ascii=False)


def lay_out(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Write settings: JSON documents by their path below `folder`."""
    for name, document in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def documents(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The JSON objects among lines of output; an agent's plain complaints are left out."""
    found = []
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            found.append(document)
    return found


async def run_turn(
    command: Sequence[str],
    workdir: Path,
    environment: Mapping[str, str],
    timeout: float,
    listen: Callable[[list[dict[str, Any]]], Heard],
) -> AgentRun:
    """One process that gets its prompt as an argument and prints a JSON document a line, which `listen` reads."""
    started = time.monotonic()
    async with agent_process(command, workdir, environment, timeout) as process:
        stdout, stderr = await process.communicate()
        text = stdout.decode(errors="replace")
        return AgentRun(
            returncode=process.returncode or 0,
            heard=listen(documents(text.split("\n"))),
            stdout=text,
            stderr=stderr.decode(errors="replace"),
            seconds=time.monotonic() - started,
        )
