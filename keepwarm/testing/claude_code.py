"""Runs the real Claude Code from npm against a server on this machine, shut off from everything else.

Nothing of the caller's environment reaches the client: its environment is built from nothing, its home is a folder of
the test, its key is a dummy, and both proxy variables point at a port where nobody listens: only loopback answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from keepwarm.testing.agent_process import DEAD_PROXY, agent_process, find_program, require_loopback

FIRST_PARTY_VARIABLE = "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL"
"""Makes 2.1.181 and later send the header that they send to Anthropic's own address: it changes with every request."""


class ClaudeRun(msgspec.Struct, frozen=True):
    """One process of Claude Code that ended by itself."""

    returncode: int
    """0 when every turn ended well."""
    stdout: str
    """Everything that it printed: one JSON document a line."""
    stderr: str
    """Its complaints."""
    events: tuple[dict[str, Any], ...]
    """The documents of `stdout`, in their order."""
    seconds: float
    """From the start of the process to its end."""

    def tool_results(self) -> list[dict[str, Any]]:
        """Every `tool_result` block that a tool (not a nested answer) left, sub-agents' included."""
        found = []
        for event in self.events:
            content = event.get("message", {}).get("content") if event.get("type") == "user" else None
            if isinstance(content, list):
                found += [block for block in content if block.get("type") == "tool_result"]
        return found

    def tool_errors(self) -> list[dict[str, Any]]:
        """The tool results that say that the tool failed."""
        return [block for block in self.tool_results() if block.get("is_error")]

    def tool_uses(self) -> list[dict[str, Any]]:
        """Every `tool_use` block, each once, as the client shows it (after its own rewriting)."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.events:
            content = event.get("message", {}).get("content") if event.get("type") == "assistant" else None
            for block in content if isinstance(content, list) else []:
                if block.get("type") == "tool_use":
                    found.setdefault(block["id"], block)
        return list(found.values())

    def results(self) -> list[dict[str, Any]]:
        """The closing `result` documents: one a user turn."""
        return [event for event in self.events if event.get("type") == "result"]

    def session_id(self) -> str | None:
        """The session's id as the client prints it."""
        return next((event["session_id"] for event in self.events if "session_id" in event), None)


def find_client(version: str) -> Path:
    """The executable of one version, below `$KEEPWARM_CLIENTS` or `.clients` of the checkout. Raises ClientMissing."""
    return find_program(f"cc-{version}", "claude")


class ClaudeCode:
    """One installation of Claude Code with a home and a working folder of its own.

    Processes may be started one after another (`continue_=True` takes the last session up again) or side by side.
    """

    def __init__(
        self,
        version: str,
        home: Path,
        base_url: str,
        workdir: Path,
        first_party: bool = False,
        extra_env: Mapping[str, str] | None = None,
    ) -> None:
        require_loopback(base_url)
        self.version = version
        self.executable = find_client(version)
        self.home = home
        self.base_url = base_url
        self.workdir = workdir
        self.first_party = first_party
        self.extra_env = dict(extra_env or {})
        home.mkdir(parents=True, exist_ok=True)
        workdir.mkdir(parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """The client's whole environment, as `env -i` would give it."""
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "SHELL": "/bin/bash",
            "ANTHROPIC_BASE_URL": self.base_url,
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_MODEL": "local-model",
            "DISABLE_TELEMETRY": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
            "HTTP_PROXY": DEAD_PROXY,
            "HTTPS_PROXY": DEAD_PROXY,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        if self.first_party:
            env[FIRST_PARTY_VARIABLE] = "1"
        # An empty value takes a variable away: that is how a test lets the client make its title calls.
        return {name: value for name, value in (env | self.extra_env).items() if value != ""}

    async def run(
        self,
        prompt: str,
        continue_: bool = False,
        max_turns: int = 40,
        timeout: float = 120.0,
        flags: Sequence[str] = (),
    ) -> ClaudeRun:
        """One user turn in a process of its own. `timeout` in seconds; raises ClientTimeout.

        flags   more of the client's own options: `--resume ID`, `--fork-session`, `--mcp-config FILE`
        """
        args = ["--output-format", "stream-json", *flags]
        if continue_:
            args.append("-c")
        async with self._started([*args, "-p", prompt], max_turns, timeout, asyncio.subprocess.DEVNULL) as process:
            return await _gather(process, ())

    async def converse(
        self,
        prompts: Sequence[str],
        continue_: bool = False,
        max_turns: int = 40,
        timeout: float = 180.0,
        flags: Sequence[str] = (),
    ) -> ClaudeRun:
        """Several user turns in one process, each sent when the turn before it has ended; one `timeout` for all."""
        args = ["--output-format", "stream-json", "--input-format", "stream-json", *flags, "-p"]
        if continue_:
            args.append("-c")
        async with self._started(args, max_turns, timeout, asyncio.subprocess.PIPE) as process:
            return await _gather(process, prompts)

    @contextlib.asynccontextmanager
    async def _started(
        self, args: Sequence[str], max_turns: int, timeout: float, stdin: int
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        command = [
            str(self.executable),
            *args,
            "--verbose",
            "--max-turns",
            str(max_turns),
            "--dangerously-skip-permissions",
        ]
        name = f"Claude Code {self.version}"
        async with agent_process(command, self.workdir, self.environment(), timeout, stdin, name) as process:
            yield process


async def _gather(process: asyncio.subprocess.Process, prompts: Sequence[str]) -> ClaudeRun:
    started = time.monotonic()
    waiting = list(prompts)
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    lines: list[str] = []
    events: list[dict[str, Any]] = []
    await _say_next(process, waiting)
    async for raw in process.stdout:
        line = raw.decode(errors="replace")
        lines.append(line)
        try:
            event = json.loads(line)
        except ValueError:
            continue  # kept in stdout; a plain complaint is no document
        if isinstance(event, dict):
            events.append(event)
            if event.get("type") == "result":
                await _say_next(process, waiting)
    return ClaudeRun(
        returncode=await process.wait(),
        stdout="".join(lines),
        stderr=(await complaints).decode(errors="replace"),
        events=tuple(events),
        seconds=time.monotonic() - started,
    )


async def _say_next(process: asyncio.subprocess.Process, waiting: list[str]) -> None:
    """Sends the next user turn, or closes stdin behind the last one, which is how the client learns that it may end."""
    if process.stdin is None:
        return
    if not waiting:
        process.stdin.close()
        return
    turn = {"type": "user", "message": {"role": "user", "content": waiting.pop(0)}}
    process.stdin.write(json.dumps(turn).encode() + b"\n")
    await process.stdin.drain()
