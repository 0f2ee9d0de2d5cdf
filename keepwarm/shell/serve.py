"""`keepwarm serve`: find or start a model server, stand in front of it, say where to point the agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from keepwarm.config import LOCAL_PORTS, Config, check
from keepwarm.engine.demo_model import find_demo_model
from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.errors import ConfigError, KeepwarmError
from keepwarm.shell.app import Gateway, start_gateway
from keepwarm.shell.client import Upstream
from keepwarm.shell.log_lines import LogLines
from keepwarm.shell.memory import collect_rarely, keep_freed_memory
from keepwarm.upstream.api import Outgoing, Traits
from keepwarm.views import log


class Terminal(Console):
    """A console that may go away (`keepwarm serve | head`): the gateway then goes on and says nothing further."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program here."""
        self.quiet = True
        # What Python still holds to be written must not fail when the program ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


def serve(config: Config, console: Console) -> None:
    """Serve until SIGTERM or Ctrl-C; streams in flight end first. Raises KeepwarmError for what cannot start."""
    run = _uvloop()
    keep_freed_memory()
    run(_serve(check(config), console))


async def find_upstream() -> tuple[str, Traits] | None:
    """The first model server on the usual local ports that answers like one."""
    return next(iter(await find_upstreams()), None)


async def find_upstreams() -> list[tuple[str, Traits]]:
    """Every model server on the usual local ports that answers like one."""

    async def look(port: int) -> tuple[str, Traits] | None:
        upstream = Upstream(f"http://127.0.0.1:{port}")
        try:
            async with asyncio.timeout(2.0):
                traits = await upstream.traits()
                if traits is None or (traits.kind != "llamacpp" and not await _has_models(upstream)):
                    return None
                return upstream.url, traits
        except TimeoutError:
            return None
        finally:
            await upstream.close()

    found = await asyncio.gather(*(look(port) for port, _ in LOCAL_PORTS))
    return [one for one in found if one is not None]


async def _has_models(upstream: Upstream) -> bool:
    """Whether it lists models: a web server on the same port may have an answer for everything."""
    status, body = await upstream.ask(Outgoing("/v1/models", b"", method="GET"))
    return status == 200 and b'"data"' in body


async def start_engine(config: Config, console: Console) -> Engine:
    """The embedded engine for `config.engine`, up."""
    with console.status(f"starting the embedded llama.cpp with {config.engine}"):
        return await asyncio.to_thread(_engine, config)


def _engine(config: Config) -> Engine:
    # Absolute, because the server says this very path when it is asked for its model.
    model = find_demo_model() if config.engine == "demo" else Path(config.engine).expanduser().absolute()
    return Engine(EngineOptions(model=model, slots=config.engine_slots, context=config.engine_context)).start()


async def _serve(config: Config, console: Console) -> None:
    engine: Engine | None = None
    try:
        if config.engine:
            engine = await start_engine(config, console)
            config = replace(config, engine="", upstream=replace(config.upstream, url=engine.url, kind="llamacpp"))
        elif not config.upstream.url:
            found = await find_upstream()
            if found is None:
                raise ConfigError(_nothing_found())
            console.print(f"found {found[1].kind} at {found[0]}")
            config = replace(config, upstream=replace(config.upstream, url=found[0]))
        gateway = await start_gateway(config, engine=engine)
    except KeepwarmError:
        if engine is not None:
            await asyncio.to_thread(engine.stop)
        raise
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    try:
        lines = await _announce(gateway, console)
        collect_rarely()
        await stop.wait()
        console.print("stopping: requests in flight may end (30 s at most)")
    finally:
        await gateway.stop()
    lines.flush()


async def _announce(gateway: Gateway, console: Console) -> LogLines:
    traits = await gateway.upstream.traits()
    url = gateway.upstream.url
    if traits is None:
        console.print(f"[yellow]no model server answers at {url} yet[/yellow]: requests are refused until one does")
    else:
        slots = f", {traits.slots} slot{'s' * (traits.slots > 1)}" if traits.slots else ""
        context = f", {traits.context:,} tokens each" if traits.context else ""
        mode = ", observed only (never rewritten)" if traits.first_party else ""
        console.print(f"upstream  {url}  {traits.kind}{slots}{context}{mode}", highlight=False)
    if gateway.ledger is not None:
        console.print(f"ledger    {gateway.config.ledger_path}", highlight=False, soft_wrap=True)
    console.print(f"gateway   {gateway.url}", highlight=False)
    console.print(f"watch it  {gateway.url}/ui  or  keepwarm top", highlight=False)
    console.print("\nStart an agent through it:  keepwarm run claude   or point Claude Code at it:", highlight=False)
    model = f" ANTHROPIC_MODEL={traits.model}" if traits is not None and traits.model else ""
    key = "your-gateway-key" if gateway.config.key else "dummy"
    line = f"  ANTHROPIC_BASE_URL={gateway.url} ANTHROPIC_API_KEY={key}{model} claude"
    console.print(line, highlight=False, soft_wrap=True, markup=False)
    if traits is None or traits.chat:
        others = f"or an agent of OpenAI's protocol: base URL {gateway.url}/v1, any key"
        console.print(others if key == "dummy" else others.replace("any key", "your gateway key"), highlight=False)
    console.print()
    console.print(log.heading(console.width), style="dim", highlight=False)
    lines = LogLines(console)
    gateway.watchers.append(lines.record)
    gateway.progress.append(lines.progress)
    return lines


def _nothing_found() -> str:
    rows = "\n".join(f"    {port:<6} {name}" for port, name in LOCAL_PORTS)
    return (
        f"no model server answers on this machine. Looked at 127.0.0.1:\n{rows}\n"
        "Start one, for example  llama-server -m model.gguf --jinja , or name it:\n"
        "    keepwarm serve --upstream http://HOST:PORT\n"
        "or let keepwarm run one:\n"
        "    keepwarm serve --engine model.gguf      (or --engine demo)"
    )


def _uvloop() -> Callable[..., None]:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run
    return uvloop.run
