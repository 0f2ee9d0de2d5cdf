"""Runs the real Cline over the Agent Client Protocol: its prompt mode takes no session up again without a terminal.

It sends no identity. Its editor tool is one for models that it knows nothing of, and another (a patch) for those that
it takes for GPT, so its settings name the model.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, ClassVar, Final

from keepwarm.testing.acp import AcpSession
from keepwarm.testing.agent_process import agent_process, bare_environment, find_program, require_loopback
from keepwarm.testing.chat_agent import (
    CONTEXT_TOKENS,
    MODEL,
    OUTPUT_TOKENS,
    AgentRun,
    Hands,
    ToolCall,
    call,
    lay_out,
)

VERSION: Final = "3.0.65"
_PROVIDER: Final = "openai-compatible"


def settings(base_url: str) -> dict[str, dict[str, Any]]:
    """The files below `~/.cline/data/settings` for a server at `base_url`."""
    chosen = {"provider": _PROVIDER, "apiKey": "dummy", "model": MODEL, "baseUrl": f"{base_url}/v1"}
    provider = {"settings": chosen, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    model = {"id": MODEL, "name": MODEL, "contextWindow": CONTEXT_TOKENS, "maxTokens": OUTPUT_TOKENS}
    about = {"name": "keepwarm", "baseUrl": f"{base_url}/v1", "defaultModelId": MODEL}
    return {
        "providers.json": {"version": 1, "lastUsedProvider": _PROVIDER, "providers": {_PROVIDER: provider}},
        "models.json": {"version": 1, "providers": {_PROVIDER: {"provider": about, "models": {MODEL: model}}}},
        "global-settings.json": {"telemetryOptOut": True, "autoUpdateEnabled": False},
    }


def _shell(command: str) -> ToolCall:
    return call("run_commands", commands=[command])


def _write(path: str, text: str) -> ToolCall:
    return call("editor", new_text=text, path=path)


def _read(path: str) -> ToolCall:
    return call("read_files", files=[{"end_line": 12, "path": path}])


def _edit(path: str, old: str, new: str) -> ToolCall:
    return call("editor", new_text=new, old_text=old, path=path)


def _scout(task: str) -> ToolCall:
    return call("spawn_agent", task=task, systemPrompt="You look at folders and tell what lies there.")


class Cline:
    """See ChatAgent."""

    name: ClassVar[str] = f"Cline {VERSION}"
    hands: ClassVar[Hands] = Hands(_shell, _write, _read, _edit, _scout)

    def __init__(self, home: Path, base_url: str, workdir: Path) -> None:
        require_loopback(base_url)
        self.executable = find_program(f"cline-{VERSION}", "cline")
        self.home, self.workdir = home, workdir
        self.session = ""
        """The id of the session so far."""
        lay_out(home / ".cline" / "data" / "settings", settings(base_url))

    def environment(self) -> dict[str, str]:
        """The agent's whole environment."""
        return bare_environment(self.home) | {
            "CLINE_SESSION_BACKEND_MODE": "local",  # else it starts a daemon that outlives it
            "CLINE_NO_AUTO_UPDATE": "1",
            "CLINE_API_KEY": "dummy",
            "CLINE_PROVIDER": _PROVIDER,
            "CLINE_MODEL": MODEL,
        }

    async def run(self, prompt: str, continue_: bool = False, timeout: float = 180.0) -> AgentRun:
        """See ChatAgent. An answer that is no end of a turn raises AcpError."""
        started = time.monotonic()
        command = [str(self.executable), "--acp", "--auto-approve", "true"]
        stdin = asyncio.subprocess.PIPE
        async with agent_process(command, self.workdir, self.environment(), timeout, stdin) as process:
            assert process.stderr is not None
            complaints = asyncio.create_task(process.stderr.read())
            talk = AcpSession(process, self.workdir)
            await talk.open(self.session if continue_ else "")
            self.session = talk.id
            heard = await talk.prompt(prompt)
            returncode = await talk.close()
            stderr = (await complaints).decode(errors="replace")
            return AgentRun(returncode, heard, "", stderr, time.monotonic() - started)
