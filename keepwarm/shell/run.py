"""`keepwarm run AGENT`: a gateway if none listens, then the agent with what it needs, for this process only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from keepwarm.clients import registry
from keepwarm.clients.outranked import said_otherwise
from keepwarm.config import Config, check
from keepwarm.errors import AddressTaken, AgentError
from keepwarm.shell import agents, neighbour
from keepwarm.shell.neighbour import Hold, Neighbour


class Asked(msgspec.Struct, frozen=True):
    """What the command line says of the gateway."""

    upstream: str = ""
    engine: str = ""
    file: Path | None = None
    """keepwarm.toml, when it was named."""
    ledger: Path | None = None


def run(name: str, arguments: Sequence[str], config: Config, asked: Asked, console: Console) -> int:
    """Start the agent `name` behind a gateway and give back its exit status.

    config   the settings, with what the command line says of them
    console  for what a person should know: standard error, the agent's output is its own

    Raises KeepwarmError for what cannot start.
    """
    if not name:
        raise AgentError(_which())
    client = registry.find(name)
    program = agents.require_program(client)
    check(config)
    port = config.port
    with Hold(config.ledger_path.parent, port) as hold:
        found = _gateway(config, asked, hold, console)
        if not found.ready:
            raise AgentError(
                f"the gateway at {found.url} is up, but no model server answers at {found.upstream}: start it, "
                "or name another with --upstream"
            )
        door = found.door(config.key, config.upstream.model)
        model = f", model {door.model}" if door.model else ""
        said = f"keepwarm: {client.title} -> {found.url} -> {found.upstream} ({found.kind}{model})"
        console.print(said, style="dim", highlight=False, markup=False, soft_wrap=True)
        with agents.own_folder() as folder:
            launch = client.launch(door, arguments, os.environ, folder)
            for file in client.managed(agents.places()):
                if names := said_otherwise({"env": launch.variables}, file):
                    warning = f"keepwarm: {file.path} wins over this and says otherwise: {', '.join(names)}"
                    console.print(warning, style="yellow", highlight=False, markup=False, soft_wrap=True)
            return agents.perform(program, launch, Path(folder))


def _which() -> str:
    """What there is to start here."""
    rows = [
        f"    keepwarm run {one.name:<10} {one.title:<12} {agents.program_of(one) or f'not installed: {one.install}'}"
        for one in registry.CLIENTS.values()
    ]
    return "\n".join(("name the agent to start; what follows its name is its own:", *rows))


def _gateway(config: Config, asked: Asked, hold: Hold, console: Console) -> Neighbour:
    """The gateway that listens where the settings say and stands in front of what is asked for; else a new one."""
    url = neighbour.address(config)
    other = ""
    if config.port:
        try:
            found = neighbour.find(url, config.key)
        except AddressTaken as error:
            if asked == Asked():
                raise
            who = "a gateway with another key" if error.wants_key else "another program"
            found, other = None, f"{who} listens at {url}: the gateway takes another port"
        if found is not None and _serves(found, asked):
            hold.share(url, config.key)
            return found
        if found is not None:
            other = f"the gateway at {url} stands in front of {found.upstream}; another one is started"
    port = config.port if not other and config.port else neighbour.free_port(config.host)
    if other:
        console.print(f"keepwarm: {other}", style="dim", highlight=False, markup=False, soft_wrap=True)
    url = neighbour.address(msgspec.structs.replace(config, port=port))
    with console.status("starting the gateway"):
        try:
            return hold.start(url, config.key, _arguments(asked, port), private=port != config.port)
        except AgentError:
            # Two runs at one moment: the other one's gateway has the port.
            found = neighbour.find(url, config.key) if port == config.port else None
            if found is None or not _serves(found, asked):
                raise
            hold.share(url, config.key)
            return found


def _serves(found: Neighbour, asked: Asked) -> bool:
    """Whether a gateway stands in front of what is asked for."""
    if asked.engine:
        return False
    return not asked.upstream or found.upstream.rstrip("/") == asked.upstream.rstrip("/")


def _arguments(asked: Asked, port: int) -> list[str]:
    """Of `keepwarm serve`, so that it has the same settings."""
    given = ["--port", str(port)]
    for name, value in (
        ("--upstream", asked.upstream),
        ("--engine", asked.engine),
        ("--config", asked.file),
        ("--ledger", asked.ledger),
    ):
        given += [name, str(value)] if value else []
    return given
