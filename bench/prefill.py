"""What keepwarm saves: the tokens that a real llama.cpp prefills for a real Claude Code session, side by side.

    python -m bench.prefill [--quick] [--slots 4] [--template qwen_like]

Each client plays the same scripted session (two user turns with tool calls, then `-c` in a second process) on engines
of its own: straight, which is keepwarm translating and keeping nothing; through keepwarm; and through LiteLLM when
LITELLM_PYTHON names a Python that has `litellm[proxy]`. The model is the tiny one, so the words are scripted and the
token counts are the engine's. Prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import uvloop

from keepwarm.config import Config, override
from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.shell.app import start_gateway
from keepwarm.testing import claude_sessions
from keepwarm.testing.accounts import account
from keepwarm.testing.claude_code import ClaudeCode
from keepwarm.testing.scripted import ScriptedServer
from keepwarm.testing.templates import NAMES, template_text
from keepwarm.testing.tiny_model import tiny_model

CONTEXT: Final = 49_152
CLIENTS: Final = (("2.1.114", False), ("2.1.328", True), ("2.1.328", False), ("2.1.39", False))
_LITELLM: Final = """
model_list:
  - model_name: "*"
    litellm_params: {{model: "hosted_vllm/local", api_base: "{url}/v1", api_key: "dummy"}}
litellm_settings: {{drop_params: true, telemetry: false}}
"""


class Row(NamedTuple):
    """What one side cost."""

    client: str
    side: str
    requests: int
    prompt: int
    prefilled: int
    ideal: int
    later_ms: float
    """Median milliseconds of prefill of the main conversation's later requests."""
    faults: int

    def markdown(self) -> str:
        """The row of the table."""
        cells = (
            f"{self.client:<19}",
            f"{self.side:<8}",
            f"{self.requests:>8}",
            f"{self.prompt:>13,}",
            f"{self.prefilled:>9,}",
            f"{self.prefilled / self.prompt:>8.1%}",
            f"{self.prefilled / self.ideal:>8.2f}",
            f"{self.later_ms:>8,.0f} ms",
        )
        return "| " + " | ".join(cells) + " |" + ("" if not self.faults else f"  ({self.faults} faults)")


HEADING: Final = """\
| Claude Code         | way      | requests | prompt tokens | prefilled |    share | of ideal | later turn  |
| ------------------- | -------- | -------: | ------------: | --------: | -------: | -------: | ----------: |"""


async def measure(
    version: str, first_party: bool, side: str, slots: int, template: str, turns: int, threads: int
) -> Row:
    """Play one session on one side; the ideal is that of its own conversations, each token once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session = claude_sessions.main_session(folder / "work")
        options = EngineOptions(
            model=tiny_model(),
            slots=slots,
            context=CONTEXT * slots,
            threads=threads,
            chat_template=template_text(template),
        )
        engine = await asyncio.to_thread(Engine(options).start)
        try:
            async with (
                ScriptedServer(engine.url, claude_sessions.script_for(session)) as server,
                _way(side, server.url, folder) as url,
            ):
                session.prepare(folder / "work")
                agent = ClaudeCode(version, folder / "home", url, folder / "work", first_party)
                run = await agent.converse(session.turns[:turns], timeout=500)
                faults = session.faults(run, folder / "work") if turns == len(session.turns) else []
                if turns == len(session.turns):
                    await agent.run(session.continuation, continue_=True, timeout=200)
                if not server.exchanges:
                    raise RuntimeError(f"{side}: nothing reached the server: {run.stdout[-300:]} {run.stderr[-300:]}")
                costs = account(server.exchanges)
                later = [e.prompt_ms or 0.0 for e in server.exchanges[1:] if e.prompt_tokens > 5_000]
                return Row(
                    f"{version} first-party" if first_party else version,
                    side,
                    costs.requests,
                    costs.prompt_tokens,
                    costs.prefilled,
                    costs.ideal,
                    statistics.median(later) if later else 0.0,
                    len(faults),
                )
        finally:
            await asyncio.to_thread(engine.stop)


@asynccontextmanager
async def _way(side: str, upstream: str, folder: Path) -> AsyncIterator[str]:
    """The address that Claude Code is pointed at."""
    if side == "LiteLLM":
        async with _litellm(upstream, folder) as url:
            yield url
        return
    settings = override(
        Config(), upstream__url=upstream, port=0, ledger__path=str(folder / "ledger.sqlite"), keep=side == "keepwarm"
    )
    gateway = await start_gateway(settings)
    try:
        yield gateway.url
    finally:
        await gateway.stop()


@asynccontextmanager
async def _litellm(upstream: str, folder: Path) -> AsyncIterator[str]:
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(url=upstream))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(os.environ["LITELLM_PYTHON"]).parent / "litellm"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the map comes with the package: nothing is fetched
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    with (folder / "litellm.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, "--config", config, "--host", "127.0.0.1", "--port", str(port), stdout=log, stderr=log,
            env=environment,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        await asyncio.wait_for(_answers(f"{url}/health/liveliness", process), 120)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        else:
            print((folder / "litellm.log").read_text()[-1_000:])


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    """Return when the address answers. LiteLLM has no event to wait for, so it is asked. Raises when it has ended."""
    async with aiohttp.ClientSession() as session:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"LiteLLM ended with {process.returncode}")
            try:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.5)


async def main(clients: tuple[tuple[str, bool], ...], slots: int, template: str, turns: int, threads: int) -> None:
    """Print the table, a row at a time."""
    sides = ["straight", "keepwarm", *(["LiteLLM"] if os.environ.get("LITELLM_PYTHON") else [])]
    print(f"Claude Code on llama.cpp, {slots} slots, template {template}: tokens that the engine prefilled.\n")
    print(HEADING, flush=True)
    for version, first_party in clients:
        for side in sides:
            row = await measure(version, first_party, side, slots, template, turns, threads)
            print(row.markdown(), flush=True)
    print("\nshare: of all prompt tokens. of ideal: 1.00 is each token of a conversation once.")
    print("later turn: median milliseconds of prefill.")


def run() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one client, one turn")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--template", choices=NAMES, default="qwen_like")
    parser.add_argument("--threads", type=int, default=2, help="of the engine; 1 where other programs are busy")
    given = parser.parse_args()
    clients = (("2.1.328", False),) if given.quick else CLIENTS
    uvloop.run(main(clients, given.slots, given.template, 1 if given.quick else 2, given.threads))


if __name__ == "__main__":
    run()
