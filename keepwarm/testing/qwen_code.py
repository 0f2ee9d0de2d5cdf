"""Runs the real Qwen Code: `qwen -p` for a turn, `qwen -c -p` to go on in another process.

In an editor (`qwen --acp`) it also guesses after each turn what the user will say next, with the whole conversation and
an instruction behind it: the next turn goes on in front of that instruction.

It sends no identity. On `-c` it writes git status and folder tree anew into the head and the first message, and its
reminder of the date moves from the message before to the newest one. After a turn that needed no tool it lets a
sub-agent look for memories: another system prompt, the whole history, an instruction behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

from keepwarm.testing.acp import AcpSession
from keepwarm.testing.agent_process import agent_process, bare_environment, find_program, require_loopback
from keepwarm.testing.chat_agent import MODEL, AgentRun, Hands, Heard, ToolCall, call, lay_out, run_turn

VERSION: Final = "0.24.4"
GUESSED: Final = "qwen/notify/session/prompt-suggestion"
"""The notification that holds its guess at the next prompt."""
AgentRuns: TypeAlias = tuple[AgentRun, ...]
SETTINGS: Final = {
    "privacy": {"usageStatisticsEnabled": False},
    "telemetry": {"enabled": False},
    "general": {"enableAutoUpdate": False},
}
"""Switches off what would leave this machine. The model and its address are in the environment."""


def _shell(command: str) -> ToolCall:
    return call("run_shell_command", description="A look", command=command, is_background=False)


def _write(path: str, text: str) -> ToolCall:
    return call("write_file", content=text, file_path=path)


def _read(path: str) -> ToolCall:
    return call("read_file", file_path=path)


def _edit(path: str, old: str, new: str) -> ToolCall:
    return call("edit", new_string=new, old_string=old, file_path=path)


def _scout(task: str) -> ToolCall:
    return call("agent", run_in_background=False, prompt=task, subagent_type="general-purpose", description="A scout")


class QwenCode:
    """See ChatAgent."""

    name: ClassVar[str] = f"Qwen Code {VERSION}"
    hands: ClassVar[Hands] = Hands(_shell, _write, _read, _edit, _scout)

    def __init__(self, home: Path, base_url: str, workdir: Path) -> None:
        require_loopback(base_url)
        self.executable = find_program(f"qwen-{VERSION}", "qwen")
        self.home, self.base_url, self.workdir = home, base_url, workdir
        lay_out(home, {".qwen/settings.json": SETTINGS})

    def environment(self) -> dict[str, str]:
        """The agent's whole environment."""
        return bare_environment(self.home) | {
            "OPENAI_API_KEY": "dummy",
            "OPENAI_BASE_URL": f"{self.base_url}/v1",
            "OPENAI_MODEL": MODEL,
            "QWEN_CODE_SUPPRESS_YOLO_WARNING": "1",
        }

    async def run(self, prompt: str, continue_: bool = False, timeout: float = 180.0) -> AgentRun:
        """See ChatAgent."""
        going_on = ["-c"] if continue_ else []
        command = [str(self.executable), *going_on, "-y", "-o", "stream-json", "-p", prompt]
        return await run_turn(command, self.workdir, self.environment(), timeout, listen)

    async def converse(self, prompts: Sequence[str], pause: Callable[[], Awaitable[None]], timeout: float) -> AgentRuns:
        """Several user turns in one process, as in an editor: behind each it waits for the guess, then `pause`s."""
        command = [str(self.executable), "--acp", "-y"]
        stdin = asyncio.subprocess.PIPE
        async with agent_process(command, self.workdir, self.environment(), timeout, stdin) as process:
            assert process.stderr is not None
            complaints = asyncio.create_task(process.stderr.read())
            talk = AcpSession(process, self.workdir)
            await talk.open()
            started = time.monotonic()
            heard = []
            for prompt in prompts:
                heard.append(await talk.prompt(prompt))
                await talk.until(GUESSED)
                await pause()
            returncode = await talk.close()
            stderr = (await complaints).decode(errors="replace")
            seconds = time.monotonic() - started
            return tuple(AgentRun(returncode, one, "", stderr, seconds) for one in heard)


def listen(documents: list[dict[str, Any]]) -> Heard:
    """What `-o stream-json` tells: `user` documents hold tool results, `result` the last words."""
    said = ""
    results: list[dict[str, Any]] = []
    for document in documents:
        if document.get("type") == "result":
            said = str(document.get("result", ""))
        content = document.get("message", {}).get("content") if document.get("type") == "user" else None
        if isinstance(content, list):
            results += [block for block in content if block.get("type") == "tool_result"]
    failed = tuple(str(block.get("content")) for block in results if block.get("is_error"))
    return Heard(said, len(results), failed)
