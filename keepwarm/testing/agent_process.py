"""Starts a coding agent from npm in a process group of its own, shut off from everything but this machine.

Nothing of the caller's environment reaches an agent: its environment is built from nothing, its home is a folder of the
test, its key is a dummy, and the proxy variables point at a port where nobody listens: only loopback answers. When a
run ends, for whatever reason, the whole process group is killed, shells that the agent left running included.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from keepwarm.errors import KeepwarmError

CLIENTS_VARIABLE: Final = "KEEPWARM_CLIENTS"
"""Environment variable that names another folder than `.clients` for what `make clients` has installed."""
DEAD_PROXY: Final = "http://127.0.0.1:9"
"""The discard port, where nobody listens: an attempt to leave this machine fails at once."""
_LINE_LIMIT: Final = 64 * 1024 * 1024
"""One line of an agent's output holds a whole file that a tool read."""


class ClientMissing(KeepwarmError):
    """The wanted version of a client is not installed here."""


class ClientTimeout(KeepwarmError):
    """A client did not end in time; its whole process group was killed."""


def clients_folder() -> Path:
    """Where `make clients` installs: `$KEEPWARM_CLIENTS`, or `.clients` of the checkout."""
    named = os.environ.get(CLIENTS_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / ".clients"


def find_program(installation: str, program: str) -> Path:
    """The executable `program` of the folder `installation`, "pi-0.73.1". Raises ClientMissing."""
    found = clients_folder() / installation / "node_modules" / ".bin" / program
    if not found.exists():
        raise ClientMissing(f"{installation} is not at {found}: run `make clients` (or set {CLIENTS_VARIABLE})")
    return found


def node_folder() -> str:
    """The folder of a `node` that is new enough: one that `make clients` installed, or the caller's own."""
    installed = sorted(clients_folder().glob("node-*/node_modules/node/bin"))
    if installed:
        return str(installed[-1])
    own = shutil.which("node")
    if own is None:
        raise ClientMissing("the agents run on Node.js, and there is none on the path: install it, then `make clients`")
    return str(Path(own).parent)


def bare_environment(home: Path) -> dict[str, str]:
    """What every agent's environment begins with, as `env -i` would give it."""
    return {
        "PATH": f"{node_folder()}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/bash",
        "HTTP_PROXY": DEAD_PROXY,
        "HTTPS_PROXY": DEAD_PROXY,
        "NO_PROXY": "127.0.0.1,localhost",
        "NODE_USE_ENV_PROXY": "1",  # node heeds proxy variables only when told so
    }


def require_loopback(base_url: str) -> None:
    """Raises ValueError for a server that is not on this machine."""
    if urlsplit(base_url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError(f"a client under test speaks to this machine only, not to {base_url}")


@contextlib.asynccontextmanager
async def agent_process(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    stdin: int = asyncio.subprocess.DEVNULL,
    name: str = "",
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The running process; it and all it started are dead afterwards.

    command   the executable and its arguments
    timeout   seconds that the body of the `with` may take; then ClientTimeout
    name      what that error calls it; the executable's own name when empty
    """
    starting = asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
        start_new_session=True,
    )
    process = await _whole(asyncio.ensure_future(starting))
    try:
        async with asyncio.timeout(timeout):
            yield process
    except TimeoutError as error:
        raise ClientTimeout(f"{name or Path(command[0]).name} was still running after {timeout:g} s") from error
    finally:
        await _kill(process)


async def _whole(starting: asyncio.Future[asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """The process when it has started. Whoever cancels meanwhile waits for that: asyncio itself would end the process
    alone, and not what it has started."""
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _kill(await starting)
        raise


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the group: shells that an agent's tools left running must not outlive the test."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
