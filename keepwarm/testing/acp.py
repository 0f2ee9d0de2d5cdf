"""Talks to a coding agent over the Agent Client Protocol, as an editor does: JSON-RPC, one message a line.

Some agents do without a terminal only this way what they do with one: Cline takes a session up again, Qwen Code
suggests what the user might say next. Permissions are given; files and terminals are the agent's own affair.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from keepwarm.errors import KeepwarmError
from keepwarm.testing.chat_agent import Heard

_VERSION: Final = 1
_ENDED: Final = ("completed", "failed")


class AcpError(KeepwarmError):
    """The agent answered with an error, or went away."""


class AcpSession:
    """A conversation with a running agent; `open` comes first."""

    def __init__(self, process: asyncio.subprocess.Process, workdir: Path) -> None:
        self._process = process
        self._workdir = workdir
        self._calls = 0
        self._updates: list[dict[str, Any]] = []
        self._notes: list[str] = []
        self.id = ""
        """The session's id, after `open`."""

    async def open(self, load: str = "") -> None:
        """Begin a session, or take the one with the id `load` up again."""
        capabilities = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        await self._call("initialize", protocolVersion=_VERSION, clientCapabilities=capabilities)
        where = {"cwd": str(self._workdir), "mcpServers": []}
        if load:
            await self._call("session/load", sessionId=load, **where)
            self.id = load
        else:
            self.id = str((await self._call("session/new", **where))["sessionId"])

    async def prompt(self, text: str) -> Heard:
        """One user turn, to its end."""
        self._updates.clear()
        done = await self._call("session/prompt", sessionId=self.id, prompt=[{"type": "text", "text": text}])
        if done.get("stopReason") != "end_turn":
            raise AcpError(f"the turn ended with {done}")
        return listen(self._updates)

    async def until(self, method: str) -> None:
        """Wait for a notification with this method; one that has come since the last prompt was sent counts."""
        while method not in self._notes:
            self._take(await self._read())

    async def close(self) -> int:
        """Close the agent's input and wait for its end: the return code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await self._process.wait()

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._calls += 1
        self._notes.clear()
        await self._send({"id": self._calls, "method": method, "params": params})
        while True:
            message = await self._read()
            if message.get("id") != self._calls or "method" in message:
                self._take(message)
                if "method" in message and "id" in message:
                    await self._send({"id": message["id"], **_reply(message)})
            elif "error" in message:
                raise AcpError(f"{method}: {message['error']}")
            else:
                return message.get("result") or {}

    def _take(self, message: dict[str, Any]) -> None:
        self._notes.append(str(message.get("method", "")))
        if message.get("method") == "session/update":
            self._updates.append(message["params"]["update"])

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a warning that went to the wrong stream
            if isinstance(message, dict):
                return message
        raise AcpError("the agent went away")


def _reply(message: dict[str, Any]) -> dict[str, Any]:
    """The answer to what the agent asks: yes to permissions, no to anything else."""
    options: Sequence[dict[str, Any]] = message.get("params", {}).get("options") or ()
    allowed = next((one["optionId"] for one in options if str(one.get("kind", "")).startswith("allow")), None)
    if message["method"] == "session/request_permission" and allowed is not None:
        return {"result": {"outcome": {"outcome": "selected", "optionId": allowed}}}
    return {"error": {"code": -32601, "message": "not offered"}}


def listen(updates: Sequence[dict[str, Any]]) -> Heard:
    """What the updates of a turn tell: the words behind the last tool are the last words."""
    said = ""
    ran = 0
    failed: list[str] = []
    for update in updates:
        kind, status = update.get("sessionUpdate"), update.get("status")
        if kind == "agent_message_chunk":
            said += str(update["content"].get("text", ""))
        elif kind in ("tool_call", "tool_call_update"):
            said = ""
            ran += status in _ENDED
            if status == "failed":
                failed.append(str(update.get("content") or update.get("rawOutput")))
    return Heard(said, ran, tuple(failed))
