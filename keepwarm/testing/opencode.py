"""Runs the real OpenCode: `opencode run` for a turn, `opencode run -c` to go on in another process.

It names its session in `x-session-id` (`x-parent-session-id` in a sub-agent) and asks for a title with the first turn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

from keepwarm.testing.agent_process import bare_environment, find_program, require_loopback
from keepwarm.testing.chat_agent import (
    CONTEXT_TOKENS,
    MODEL,
    OUTPUT_TOKENS,
    AgentRun,
    Hands,
    Heard,
    ToolCall,
    call,
    lay_out,
    run_turn,
)

VERSION: Final = "1.18.33"


def settings(base_url: str) -> dict[str, Any]:
    """`opencode.json` for a server at `base_url`."""
    limit = {"context": CONTEXT_TOKENS, "output": OUTPUT_TOKENS}
    model = {"name": MODEL, "tool_call": True, "reasoning": True, "limit": limit}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "keepwarm",
        "options": {"baseURL": f"{base_url}/v1", "apiKey": "dummy"},
        "models": {MODEL: model},
    }
    return {
        "autoupdate": False,
        "share": "disabled",
        "provider": {"keepwarm": provider},
        "model": f"keepwarm/{MODEL}",
    }


def _shell(command: str) -> ToolCall:
    return call("bash", timeout=5000, command=command)


def _write(path: str, text: str) -> ToolCall:
    return call("write", filePath=path, content=text)


def _read(path: str) -> ToolCall:
    return call("read", limit=12, filePath=path)


def _edit(path: str, old: str, new: str) -> ToolCall:
    return call("edit", newString=new, oldString=old, filePath=path)


def _scout(task: str) -> ToolCall:
    return call("task", subagent_type="general", prompt=task, description="A scout")


class OpenCode:
    """See ChatAgent."""

    name: ClassVar[str] = f"OpenCode {VERSION}"
    hands: ClassVar[Hands] = Hands(_shell, _write, _read, _edit, _scout)

    def __init__(self, home: Path, base_url: str, workdir: Path) -> None:
        require_loopback(base_url)
        self.executable = find_program(f"opencode-{VERSION}", "opencode")
        self.home, self.workdir = home, workdir
        lay_out(home, {".config/opencode/opencode.json": settings(base_url)})

    def environment(self) -> dict[str, str]:
        """The agent's whole environment."""
        off = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "SHARE")
        return bare_environment(self.home) | {f"OPENCODE_DISABLE_{what}": "1" for what in off}

    async def run(self, prompt: str, continue_: bool = False, timeout: float = 180.0) -> AgentRun:
        """See ChatAgent."""
        going_on = ["-c"] if continue_ else []
        command = [str(self.executable), "run", "--format", "json", "--auto", *going_on, prompt]
        return await run_turn(command, self.workdir, self.environment(), timeout, listen)


def listen(documents: list[dict[str, Any]]) -> Heard:
    """What `--format json` tells: a document for each tool that ended and for each text."""
    said = ""
    states: list[dict[str, Any]] = []
    for document in documents:
        part = document.get("part") or {}
        if document.get("type") == "text":
            said = str(part.get("text", ""))
        elif document.get("type") == "tool_use":
            states.append(part.get("state") or {})
    failed = [str(state.get("error")) for state in states if state.get("status") == "error"]
    failed += [str(document.get("error")) for document in documents if document.get("type") == "error"]
    return Heard(said, len(states), tuple(failed))
