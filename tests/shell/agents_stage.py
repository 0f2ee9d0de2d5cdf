"""`keepwarm run` as a process, with a program of the test in the agent's place."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.conftest import REPOSITORY

TELLING = """#!{python}
import json, os, signal, sys, time
told = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "pid": os.getpid()}}
told["ignored"] = [int(one) for one in (signal.SIGINT, signal.SIGQUIT) if signal.getsignal(one) is signal.SIG_IGN]
folder = os.path.dirname(os.environ.get("CLINE_PROVIDER_SETTINGS_PATH", ""))
told["files"] = sorted(os.listdir(folder)) if folder else []
{body}
with open(os.environ["TELL"], "w") as file:
    json.dump(told, file)
{end}
"""


class Ran(msgspec.Struct, frozen=True):
    """A `keepwarm run` that has ended."""

    returncode: int
    stdout: str
    stderr: str


class Terminal:
    """A machine with agents on its path, and a home of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.programs = folder / "bin"
        self.home = folder / "home"
        self.work = folder / "work"
        self.told = folder / "told.json"
        for one in (self.programs, self.home, self.work):
            one.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Where the gateway listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """keepwarm's own folder."""
        return self.home / ".local" / "share" / "keepwarm"

    def install(self, name: str, end: str = "", body: str = "") -> None:
        """A program that writes down how it was started.

        body, end  Python, before and after it does so
        """
        path = self.programs / name
        path.write_text(TELLING.format(python=sys.executable, body=body, end=end))
        path.chmod(0o755)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Nothing of the caller's."""
        own = {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(REPOSITORY),
            "TELL": str(self.told),
            "HTTP_PROXY": "http://127.0.0.1:9",
        }
        return own | dict(more or {})

    async def start(self, *arguments: str, more: Mapping[str, str] | None = None) -> asyncio.subprocess.Process:
        """`keepwarm ARGUMENTS`, in a session of its own."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "keepwarm",
            *arguments,
            cwd=self.work,
            env=self.environment(more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    async def keepwarm(self, *arguments: str, more: Mapping[str, str] | None = None) -> Ran:
        """`keepwarm ARGUMENTS` to its end."""
        process = await self.start(*arguments, more=more)
        async with asyncio.timeout(90):
            stdout, stderr = await process.communicate()
        return Ran(process.returncode or 0, stdout.decode(), stderr.decode())

    async def run(self, *arguments: str, more: Mapping[str, str] | None = None) -> Ran:
        """`keepwarm run`, with the gateway at this terminal's own port."""
        return await self.keepwarm("run", "--port", str(self.port), *arguments, more=more)

    async def until_told(self) -> dict[str, object]:
        """How the agent was started, as soon as it says so."""
        async with asyncio.timeout(60):
            while True:
                if self.told.exists() and (text := self.told.read_bytes()):
                    return msgspec.json.decode(text, type=dict[str, object])
                await asyncio.sleep(0.02)


def signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    """What Ctrl-C does: every process in the foreground gets the signal."""
    os.killpg(process.pid, number)
