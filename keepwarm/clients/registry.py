"""Every coding agent that keepwarm sets up: one line a client."""

from __future__ import annotations

from typing import Final

from keepwarm.clients.api import Client, Habit, habits_of, version_of
from keepwarm.clients.claude import CLAUDE
from keepwarm.clients.cline import CLINE
from keepwarm.clients.opencode import OPENCODE
from keepwarm.clients.pi import PI
from keepwarm.clients.qwen import QWEN
from keepwarm.errors import ConfigError

CLIENTS: Final = {client.name: client for client in (CLAUDE, OPENCODE, QWEN, PI, CLINE)}
"""By the name that `keepwarm run` and `keepwarm fix` take."""


def find(name: str) -> Client:
    """The client of a name. Raises ConfigError naming those there are."""
    client = CLIENTS.get(name.lower())
    if client is None:
        raise ConfigError(f"keepwarm knows no agent {name!r}: use one of {', '.join(CLIENTS)}")
    return client


def known_habits(name: str, version: str) -> tuple[Habit, ...]:
    """What a version ("2.1.328", or what --version printed) of a client is known to do. Raises ConfigError."""
    return habits_of(find(name), version_of(version))
