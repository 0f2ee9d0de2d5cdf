"""The coding agents on this machine: where they are, which version they have, and one process of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from keepwarm.clients.api import Client, Launch, Places, Version, version_of
from keepwarm.errors import AgentError

_VERSION_SECONDS: Final = 20.0


def places() -> Places:
    """Where agents look for their settings here and now."""
    return Places(Path.home(), Path.cwd(), dict(os.environ))


def program_of(client: Client) -> str | None:
    """The path of an agent's executable; None when it is not installed."""
    return shutil.which(client.program)


def require_program(client: Client) -> str:
    """The path of an agent's executable. Raises AgentError saying how it is installed."""
    found = program_of(client)
    if found is None:
        raise AgentError(f"{client.title} is not installed (no {client.program} on the path): {client.install}")
    return found


def version_on(program: str) -> Version:
    """What the program at a path says of its version; () when it says none."""
    try:
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return version_of(done.stdout.decode(errors="replace"))


def environment_for(launch: Launch, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment of one process: the caller's, with what the launch wants."""
    kept = {name: value for name, value in caller.items() if name not in launch.without}
    # Behind a proxy the loopback address would be asked of it.
    for name in ("NO_PROXY", "no_proxy"):
        there = [part for part in kept.get(name, "").split(",") if part]
        kept[name] = ",".join([*there, *(host for host in ("127.0.0.1", "localhost", "::1") if host not in there)])
    return kept | dict(launch.variables)


def own_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for one process's files, readable for the user only."""
    return tempfile.TemporaryDirectory(prefix="keepwarm-run-", ignore_cleanup_errors=True)


def perform(program: str, launch: Launch, folder: Path) -> int:
    """Run an agent in this terminal until it ends; its exit status, 128 + the signal where one ended it.

    Ctrl-C and the like reach it directly, since it is in the foreground with us; who ends us by a signal ends it.
    """
    for name, text in launch.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    try:
        process = subprocess.Popen([program, *launch.arguments], env=environment_for(launch, os.environ))
    except OSError as error:
        raise AgentError(f"{program} cannot be started: {error.strerror or error}") from error

    def pass_on(number: int, _: object) -> None:
        if process.poll() is None:
            process.send_signal(number)

    # Handlers and no SIG_IGN: what is ignored stays ignored in a program that is started.
    before = {one: signal.signal(one, lambda *_: None) for one in _from_terminal()}
    before |= {one: signal.signal(one, pass_on) for one in _from_others()}
    try:
        status = process.wait()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    return status if status >= 0 else 128 - status


def _from_terminal() -> tuple[signal.Signals, ...]:
    """Signals that the terminal sends to the agent and to us alike."""
    return tuple(getattr(signal, name) for name in ("SIGINT", "SIGQUIT") if hasattr(signal, name))


def _from_others() -> tuple[signal.Signals, ...]:
    return tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
