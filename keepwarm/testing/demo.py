"""`keepwarm demo`: a coding session twice, straight to the embedded llama.cpp and through keepwarm, measured.

The model's tool calls are scripted (a 135-million-parameter model cannot call tools); everything that is counted is
real: llama.cpp's prefill, its prefix cache, its times and memory. See demo_play for how, demo_table for what is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keepwarm.config import DEFAULT_PORT, Config, LedgerSettings, UpstreamSettings
from keepwarm.engine.demo_model import find_demo_model
from keepwarm.engine.options import EngineOptions
from keepwarm.errors import ConfigError, KeepwarmError
from keepwarm.shell.app import start_gateway
from keepwarm.testing.agent_script import plan_session, request_count
from keepwarm.testing.demo_play import DemoResult, closing_words, measure, running_engine, spare_threads
from keepwarm.testing.demo_table import result_tables
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model

MODELS: Final = ("demo", "tiny")
"""demo: SmolLM2, real words, a short session. tiny: random weights, quick, a long session."""

_SLOTS: Final = 4
_SECONDS: Final = 145.0
"""After so long the demo model's straight side starts no further request: the whole ends within three minutes."""
_NAMES: Final = {"demo": "SmolLM2-135M", "tiny": "a tiny model with random weights"}


def demo(model: str = "demo", keep: bool = False, json_output: bool = False) -> int:
    """Run the demo and show its table; the process's exit status.

    model        one of MODELS
    keep         afterwards leave an engine and a gateway serving, until Ctrl-C
    json_output  print a DemoResult as JSON on standard output instead of the tables

    Whatever goes wrong on purpose (a missing model, a missing extra) is said on standard error, with what to run.
    """
    console = Console(stderr=json_output)
    try:
        if model not in MODELS:
            raise ConfigError(f"there is no demo model {model!r}: choose one of {', '.join(MODELS)}")
        asyncio.run(_demo(model, keep, json_output, console))
    except KeepwarmError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]keepwarm demo:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _demo(model: str, keep: bool, json_output: bool, console: Console) -> None:
    result = await measured(model, console)
    if json_output:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n")
    else:
        console.print(result_tables(result))
    if keep:
        await _serve(model, console)


async def measured(model: str, console: Console) -> DemoResult:
    """Play the session of `model` on both sides, with a progress bar on `console`."""
    until = time.monotonic() + _SECONDS if model == "demo" else float("inf")
    options = msgspec.structs.replace(engine_options(model), threads=await asyncio.to_thread(spare_threads))
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    with bar:
        words = bar.add_task("the model writes its closing words", total=1)
        closing = await closing_words(options) if model == "demo" else ()
        bar.update(words, completed=1)
        plan = plan_session(1, "demo" if model == "demo" else "long", closing)
        total = request_count(plan)
        tasks = {
            "keepwarm": bar.add_task("the session through keepwarm", total=total, start=False),
            "straight": bar.add_task("the session straight to the engine", total=total, start=False),
        }

        def progress(side: str, answered: int) -> None:
            bar.start_task(tasks[side])
            bar.update(tasks[side], completed=answered)

        return await measure(options, plan, open_gateway, model=_NAMES[model], progress=progress, until=until)


def engine_options(model: str, *, slots: int = _SLOTS, context: int | None = None) -> EngineOptions:
    """How the demo's engine is started. Its template prints tools: SmolLM2's own leaves them out.

    context  tokens a slot; None = enough for the session
    """
    path, fitting = (find_demo_model(), 4096) if model == "demo" else (tiny_model(), 65536)
    return EngineOptions(
        model=path,
        context=slots * (context or fitting),
        slots=slots,
        alias=f"keepwarm-{model}",
        chat_template=template_text("qwen_like"),
    )


@contextlib.asynccontextmanager
async def open_gateway(upstream: str, port: int = 0) -> AsyncIterator[str]:
    """keepwarm itself in front of `upstream`, with a ledger that goes away again; gives its URL."""
    with tempfile.TemporaryDirectory(prefix="keepwarm-demo-") as folder:
        ledger = LedgerSettings(path=str(Path(folder) / "ledger.sqlite"))
        gateway = await start_gateway(Config(upstream=UpstreamSettings(url=upstream), ledger=ledger, port=port))
        try:
            yield gateway.url
        finally:
            await gateway.stop()


async def _serve(model: str, console: Console) -> None:
    """Serve the model itself, no script, until Ctrl-C."""
    options = engine_options(model, slots=2, context=8192 if model == "demo" else 131072)
    async with running_engine(options) as engine, open_gateway(engine.url, usual_port()) as url:
        console.print(f"\nServing on {url} until Ctrl-C. Start Claude Code against it in another terminal:\n")
        console.print(f"  {agent_line(model, url)}\n", soft_wrap=True, highlight=False)
        await asyncio.Event().wait()


def usual_port() -> int:
    """keepwarm's own port where nobody listens on it, else 0 for a free one: the demo is not to end in an error."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT


def agent_line(model: str, url: str) -> str:
    """The shell line that starts Claude Code against the gateway at `url`.

    The demo model gets no tools and a short system prompt: it cannot call tools, and the usual prompt is longer than
    the 8,192 tokens it holds. Answers are kept short because neither model knows when to stop.
    """
    settings = {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_AUTH_TOKEN": "local",
        "ANTHROPIC_MODEL": f"keepwarm-{model}",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "1000" if model == "demo" else "100",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    command = (
        "claude --tools '' --system-prompt 'You help in a terminal. Answer briefly.'" if model == "demo" else "claude"
    )
    return " ".join([*(f"{name}={value}" for name, value in settings.items()), command])
