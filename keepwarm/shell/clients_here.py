"""The agents installed on this machine, what they say of their version, and the settings files they would read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from keepwarm.checks.settings import Place

AGENTS: Final = ("claude", "opencode", "qwen", "pi", "cline")
"""Programs that are looked for on the path."""
VERSION_SECONDS: Final = 20.0
_MANAGED: Final = (
    "/etc/claude-code/managed-settings.json",
    "/Library/Application Support/ClaudeCode/managed-settings.json",
)
_LARGEST: Final = 8 * 1024 * 1024
_QUIET: Final = {"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1", "NO_COLOR": "1", "TERM": "dumb"}


class Installed(msgspec.Struct, frozen=True):
    """An agent on the path."""

    name: str
    path: str
    version: str
    """Its own words; "" where it said nothing."""


async def installed_agents(environment: Mapping[str, str]) -> list[Installed]:
    """Every agent of AGENTS on the path of `environment`, asked for its version and nothing else."""
    found = [(name, shutil.which(name, path=environment.get("PATH"))) for name in AGENTS]
    return list(await asyncio.gather(*(_asked(name, path, environment) for name, path in found if path is not None)))


async def _asked(name: str, path: str, environment: Mapping[str, str]) -> Installed:
    # No key and no proxy goes along: a program that is asked for its version has no call to make.
    kept = {key: environment[key] for key in ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT") if key in environment}
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=kept | _QUIET,
        )
    except OSError:
        return Installed(name, path, "")
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return Installed(name, path, "")
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return Installed(name, path, lines[0].strip()[:80] if lines and process.returncode == 0 else "")


def settings_places(home: Path, folder: Path, environment: Mapping[str, str]) -> list[Place]:
    """Claude Code's settings files that are there, the one that counts first in front: managed, local, the folder's,
    the user's."""
    users = environment.get("CLAUDE_CONFIG_DIR")
    paths = [
        *(Path(path) for path in _MANAGED),
        folder / ".claude" / "settings.local.json",
        folder / ".claude" / "settings.json",
        (Path(users).expanduser() if users else home / ".claude") / "settings.json",
    ]
    return [_read(path, home) for path in dict.fromkeys(paths) if os.path.lexists(path)]


def _read(path: Path, home: Path) -> Place:
    shown = str(path)
    with contextlib.suppress(ValueError):
        shown = f"~/{path.relative_to(home).as_posix()}"
    try:
        if path.stat().st_size > _LARGEST:
            return Place(shown, None, "it is over 8 MiB")
        return Place(shown, path.read_text("utf-8"))
    except UnicodeDecodeError as error:
        return Place(shown, None, f"it is not UTF-8 ({error.reason})")
    except OSError as error:
        return Place(shown, None, error.strerror or str(error))
