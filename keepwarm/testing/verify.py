"""`keepwarm verify`: the same agent session with the billing line and without, straight and through keepwarm.

The document's three checks as an experiment: the wait of later requests, the server's memory over time, and what the
prompt really contained. What may be concluded, and when nothing may, stands in keepwarm/checks/trial.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from keepwarm import __version__
from keepwarm.checks.trial import Trial, conclude, exit_code
from keepwarm.config import address_of
from keepwarm.engine.options import EngineOptions
from keepwarm.errors import ConfigError
from keepwarm.shell.client import Upstream, is_provider
from keepwarm.shell.serve import find_upstream
from keepwarm.shell.server_look import NoServer, look
from keepwarm.testing.demo import engine_options, open_gateway
from keepwarm.testing.demo_play import running_engine, spare_threads
from keepwarm.testing.server_log import ServerLog
from keepwarm.testing.tap import Tap
from keepwarm.testing.verify_play import Endpoint, Setting, measure_rate, play_trial
from keepwarm.testing.verify_session import STYLES, Style
from keepwarm.views.trial import print_trial
from keepwarm.views.trial_svg import svg

ENGINES: Final = ("demo", "tiny")
_SECONDS: Final = 110.0
"""What the prompts of all arms may take together, where nobody says how long they are to be."""
_COLD_ENOUGH: Final = 5.0
"""Seconds of a cold prompt that are plenty to see an effect."""
_LONGEST: Final = {"demo": 2_000, "tiny": 8_000, "": 20_000}
_SHORTEST: Final = 500
_VERBOSE: Final = 5
"""From here on llama.cpp tells what it reuses, and which prompt a slot has held."""
_SPARE: Final = 400
"""Tokens a session grows by, at most."""


class Wish(msgspec.Struct, frozen=True):
    """What the command line asks for."""

    upstream: str = ""
    """The server's address; "" for an embedded engine, or one that is found."""
    engine: str = ""
    """One of ENGINES, or a GGUF file; "" for none."""
    key: str = ""
    """The server's API key."""
    rounds: int = 3
    requests: int = 2
    tokens: int = 0
    """0: what fits into about three minutes."""
    endpoint: str = ""
    """"chat" or "messages"; "": chat where the server takes it."""
    style: str = "2.1.114"
    log: Path | None = None
    """The file that the named server's log goes to; None for none."""


class _Stage(msgspec.Struct, frozen=True):
    """The server that is measured."""

    url: str
    said: str
    model: str
    context: int | None
    chat: bool
    make: str
    pid: int | None = None
    log: ServerLog | None = None


def run(wish: Wish, plot: Path | None = None, as_json: bool = False) -> int:
    """Play the experiment and show it; the process's exit status (0, or 3 where nothing can be concluded).

    plot     where an SVG of it is written
    as_json  print everything as JSON on standard output instead
    """
    console = Console()
    if plot is not None:
        _require_writable(plot)  # before minutes are spent
    try:
        trial = asyncio.run(verify(wish, Console(stderr=True) if as_json else console))
    except KeyboardInterrupt:
        return 130
    print_trial(trial, console, as_json)
    if plot is not None:
        plot.write_text(svg(trial), encoding="utf-8")
    return exit_code(conclude(trial))


def _require_writable(plot: Path) -> None:
    try:
        with plot.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ConfigError(f"{plot} cannot be written ({error.strerror}): name another file with --plot") from error


async def verify(wish: Wish, console: Console) -> Trial:
    """Play the experiment, with a progress bar on `console`.

    Raises ConfigError for a wish that cannot be, EngineError and MissingExtra of the engine, UpstreamError for a
    request that failed.
    """
    style = _style(wish)
    async with _stage(wish, console) as stage, Tap(stage.url, wish.key) as tap, open_gateway(tap.url) as gateway:
        endpoint = _endpoint(wish, stage)
        console.print(f"measuring {stage.said}", highlight=False, markup=False)
        rate = await measure_rate(tap, stage.model) if stage.chat else 1000.0
        tokens = wish.tokens or fitting_tokens(rate, wish, stage.context)
        if stage.context and tokens + _SPARE > stage.context:
            raise ConfigError(f"{tokens:,} tokens do not fit into {stage.context:,}: use a smaller --tokens")
        setting = Setting(wish.rounds, wish.requests, tokens, endpoint, style, stage.model)
        console.print(
            f"it processes about {rate:,.0f} tokens a second: prompts of about {tokens:,} tokens, {wish.rounds} rounds "
            "of 4 sessions, made-up words",
            highlight=False,
        )
        with _bar(console) as bar:
            task = bar.add_task("sessions", total=4 * wish.rounds)
            on_session = partial(bar.advance, task)
            played = await play_trial(setting, tap, gateway, stage.url, stage.pid, on_session, stage.log)
    return Trial(
        keepwarm=__version__,
        server=stage.said,
        endpoint=endpoint,
        style=style,
        rounds=wish.rounds,
        tokens=tokens,
        samples=played.samples,
        memory_of=played.memory_of,
        memory=played.memory,
        spans=played.spans,
        log=played.log,
    )


def fitting_tokens(rate: float, wish: Wish, context: int | None) -> int:
    """How long a prompt may be for all arms to take about `_SECONDS`.

    One arm of four processes the whole prompt with each request, the others once.
    """
    prompts = wish.rounds * (3 + wish.requests)
    longest = _LONGEST.get(wish.engine, _LONGEST[""])
    if context:
        longest = min(longest, context - _SPARE)
    seconds = _SECONDS / prompts if wish.engine else min(_COLD_ENOUGH, _SECONDS / prompts)
    return int(max(min(_SHORTEST, longest), min(longest, rate * seconds)))


@contextlib.asynccontextmanager
async def _stage(wish: Wish, console: Console) -> AsyncIterator[_Stage]:
    """The server to measure: the one that is named, an engine of our own, or the one that is found."""
    if wish.upstream and wish.engine:
        raise ConfigError("both --upstream and --engine are named: leave one out")
    if wish.engine:
        if wish.log is not None:
            raise ConfigError("the embedded engine's own log is read: leave --server-log out")
        async with _embedded(wish, console) as stage:
            yield stage
        return
    url = wish.upstream
    if not url:
        found = await find_upstream()
        if found is None:
            raise ConfigError(
                "no model server answers on this machine: name one (keepwarm verify --upstream http://HOST:PORT) or "
                "let keepwarm run one (keepwarm verify --engine demo)"
            )
        url = found[0]
    stage = await _named(url, wish.key)
    if wish.log is None:
        yield stage
        return
    with ServerLog(wish.log, wish.log.name, stage.make) as log:
        yield msgspec.structs.replace(stage, log=log)


@contextlib.asynccontextmanager
async def _embedded(wish: Wish, console: Console) -> AsyncIterator[_Stage]:
    """An engine of our own, whose log tells of reuse and of the prompts in its slots."""
    with console.status(f"starting the embedded llama.cpp with {wish.engine}"):
        threads = await asyncio.to_thread(spare_threads)
    with tempfile.TemporaryDirectory(prefix="keepwarm-verify-") as folder:
        file = Path(folder) / "engine.log"
        options = msgspec.structs.replace(
            _options(wish.engine), threads=threads, show_prompts=True, log_file=file, verbosity=_VERBOSE
        )
        said = f"llama.cpp (embedded, {wish.engine if wish.engine in ENGINES else options.model.name})"
        async with running_engine(options) as engine:
            with ServerLog(file, "the engine's own log", "llama.cpp", options.slots) as log:
                context = options.context // options.slots
                yield _Stage(
                    engine.url, said, options.alias or "local", context, True, "llama.cpp", engine.pid, log=log
                )


def _options(engine: str) -> EngineOptions:
    if engine in ENGINES:
        return engine_options(engine)
    path = Path(engine).expanduser().absolute()
    return EngineOptions(model=path, slots=4, context=4 * 32_768)


async def _named(url: str, key: str) -> _Stage:
    if is_provider(url):
        raise ConfigError("this is a provider that costs money by the token: verify is for a server of your own")
    upstream = Upstream(address_of(url), key=key)
    try:
        server = await look(upstream)
    except NoServer as error:
        raise ConfigError(f"{error} {error.command}") from error
    finally:
        await upstream.close()
    said = f"{server.name or server.traits.kind} {server.version} at {server.url}".replace("  ", " ")
    model = server.traits.model or server.model or "local"
    return _Stage(upstream.url, said, model, server.traits.context, server.traits.chat, server.name)


def _endpoint(wish: Wish, stage: _Stage) -> Endpoint:
    match wish.endpoint:
        case "":
            return "chat" if stage.chat else "messages"
        case "chat":
            return "chat"
        case "messages":
            return "messages"
    raise ConfigError(f"there is no endpoint {wish.endpoint!r}: use chat or messages")


def _style(wish: Wish) -> Style:
    for style in STYLES:
        if wish.style == style:
            return style
    raise ConfigError(f"there is no client style {wish.style!r}: use one of {', '.join(STYLES)}")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
