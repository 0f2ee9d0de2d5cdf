"""Runs the real pi (the coding agent of pi-mono): `pi -p` for a turn, `pi -c -p` to go on in another process.

It sends no identity with Chat Completions. The model is declared to reason, so that the system prompt comes in the role
`developer`, which is what pi does by itself for such models.
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

VERSION: Final = "0.73.1"


def models(base_url: str) -> dict[str, Any]:
    """`~/.pi/agent/models.json` for a server at `base_url`."""
    model = {"id": MODEL, "reasoning": True, "contextWindow": CONTEXT_TOKENS, "maxTokens": OUTPUT_TOKENS}
    provider = {"baseUrl": f"{base_url}/v1", "api": "openai-completions", "apiKey": "dummy", "models": [model]}
    return {"providers": {"keepwarm": provider}}


def _shell(command: str) -> ToolCall:
    return call("bash", timeout=50, command=command)


def _write(path: str, text: str) -> ToolCall:
    return call("write", content=text, path=path)


def _read(path: str) -> ToolCall:
    return call("read", limit=12, path=path)


def _edit(path: str, old: str, new: str) -> ToolCall:
    return call("edit", edits=[{"newText": new, "oldText": old}], path=path)


class Pi:
    """See ChatAgent."""

    name: ClassVar[str] = f"pi {VERSION}"
    hands: ClassVar[Hands] = Hands(_shell, _write, _read, _edit)

    def __init__(self, home: Path, base_url: str, workdir: Path) -> None:
        require_loopback(base_url)
        self.executable = find_program(f"pi-{VERSION}", "pi")
        self.home, self.workdir = home, workdir
        lay_out(home, {".pi/agent/models.json": models(base_url)})

    def environment(self) -> dict[str, str]:
        """The agent's whole environment."""
        return bare_environment(self.home) | {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}

    async def run(self, prompt: str, continue_: bool = False, timeout: float = 180.0) -> AgentRun:
        """See ChatAgent."""
        going_on = ["-c"] if continue_ else []
        model = ["--provider", "keepwarm", "--model", MODEL]
        command = [str(self.executable), *model, "--mode", "json", *going_on, "-p", prompt]
        return await run_turn(command, self.workdir, self.environment(), timeout, listen)


def listen(documents: list[dict[str, Any]]) -> Heard:
    """What `--mode json` tells: tools end one by one, `agent_end` holds the whole turn."""
    said = ""
    ended = [document for document in documents if document.get("type") == "tool_execution_end"]
    for document in documents:
        if document.get("type") == "agent_end" and document.get("messages"):
            said = "".join(part.get("text", "") for part in document["messages"][-1].get("content") or ())
    return Heard(said, len(ended), tuple(str(one.get("result")) for one in ended if one.get("isError")))
