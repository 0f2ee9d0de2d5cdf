"""The demo's measurement: one synthetic session, played straight to the engine and through a gateway.

Each side gets a fresh engine, so neither inherits a cache or memory from the other. Token counts and prefill times are
the engine's own, one by one; the time to the first token is taken at the client; memory is the engine process's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, TypeAlias

import aiohttp
import msgspec

from keepwarm.engine.llama import Engine
from keepwarm.engine.options import EngineOptions
from keepwarm.errors import MissingExtra
from keepwarm.testing.agent_player import GatewaySide, PlainSide, PlayedTurn, Side, play
from keepwarm.testing.agent_script import AgentScript, Kind, Plan, kind_of, request_count
from keepwarm.testing.agent_session import AgentSession
from keepwarm.testing.scripted import Exchange, ScriptedServer

GatewayOpener: TypeAlias = Callable[[str], AbstractAsyncContextManager[str]]
"""Takes the model server's URL, runs a gateway in front of it, gives the gateway's URL."""

Progress: TypeAlias = Callable[[str, int], None]
"""Hears a side's name and how many requests of it have been answered."""

_QUESTIONS: Final = (
    "Why can a report be one hour off after the clocks change? Answer in one short sentence.",
    "What should a test of a clock change check? Answer in one short sentence.",
    "Say in one short sentence that the work is done.",
)
_PATIENCE_S: Final = 12.0


class TurnCost(msgspec.Struct, frozen=True):
    """What one request of the session cost."""

    number: int
    """The request's number, from 1 over the whole session."""
    kind: Kind
    """Which conversation it belongs to."""
    prompt_tokens: int
    """Tokens of its prompt."""
    prefilled_tokens: int
    """Of these, the ones the engine processed."""
    held_tokens: int
    """Tokens its slot holds afterwards, the answer included."""
    prompt_ms: float
    """Milliseconds of prefill."""
    first_token_s: float
    """Seconds to the first token, at the client."""
    head_again: bool
    """Whether the engine processed (part of) the system prompt and tools for it."""


class SideResult(msgspec.Struct, frozen=True):
    """One side's play."""

    name: str
    """"straight" or "keepwarm"."""
    turns: tuple[TurnCost, ...]
    """By request number."""
    memory_before: int
    """Bytes of the engine process before the first request."""
    memory_after: int
    """Bytes after the last one."""
    memory_peak: int
    """The most bytes seen after any request."""
    whole_s: float
    """Seconds from the first request to the last answer."""
    complete: bool
    """False when the time allowed was over before the session was."""

    def only(self, numbers: frozenset[int]) -> SideResult:
        """The same with these requests only."""
        return msgspec.structs.replace(self, turns=tuple(turn for turn in self.turns if turn.number in numbers))


class DemoResult(msgspec.Struct, frozen=True):
    """Both sides over the same requests."""

    model: str
    """What the engine ran."""
    requests: int
    """Requests of the whole session."""
    compared: int
    """Requests that both sides have played: the ones in the figures."""
    ideal_tokens: int
    """Tokens if each token of a conversation were prefilled once."""
    straight: SideResult
    """Straight to the engine's chat endpoint."""
    keepwarm: SideResult
    """Through the gateway."""


async def measure(
    engine: EngineOptions,
    plan: Plan,
    gateway: GatewayOpener,
    *,
    model: str,
    progress: Progress = lambda side, answered: None,
    until: float = float("inf"),
) -> DemoResult:
    """Play `plan` on both sides and measure. The gateway goes first: it is the quick one, the other gets the time left.

    engine    what each of the two engines is started with
    gateway   opens the gateway under test
    progress  hears of each answered request, and of 0 when a side begins
    until     time.monotonic() from which the straight side starts no further request; the figures then compare the
              requests it got through

    Raises EngineError and MissingExtra of the engine, UpstreamError for a request that failed.
    """
    warm = await _play_side("keepwarm", engine, plan, gateway, progress, float("inf"))
    straight = await _play_side("straight", engine, plan, None, progress, until)
    both = frozenset(turn.number for turn in straight.turns) & frozenset(turn.number for turn in warm.turns)
    return DemoResult(
        model=model,
        requests=len(warm.turns),
        compared=len(both),
        ideal_tokens=append_only_tokens(warm.only(both).turns),
        straight=straight.only(both),
        keepwarm=warm.only(both),
    )


def append_only_tokens(turns: Sequence[TurnCost]) -> int:
    """Tokens to prefill if each conversation's slot kept everything: each prompt less what its slot held before."""
    held: dict[Kind, int] = {}
    total = 0
    for turn in turns:
        total += turn.prompt_tokens - held.get(turn.kind, 0)
        held[turn.kind] = turn.held_tokens
    return total


@asynccontextmanager
async def running_engine(options: EngineOptions) -> AsyncIterator[Engine]:
    """An engine, started and stopped off the event loop."""
    engine = Engine(options)
    try:
        await asyncio.to_thread(engine.start)
        yield engine
    finally:
        # Not to be given up when Ctrl-C cancels this task: the engine is a process of its own.
        await asyncio.shield(asyncio.to_thread(engine.stop))


def spare_threads() -> int | None:
    """How many threads the engine should have here and now; None = as many as llama.cpp likes.

    Its threads wait for each other by spinning: where other programs are busy, one thread a core is several times
    slower than leaving them theirs. Watches the machine for half a second. Raises MissingExtra (psutil).
    """
    try:
        import psutil
    except ImportError as error:
        raise MissingExtra("looking at the machine's load", "keepwarm[engine]") from error
    cores = psutil.cpu_count() or 1
    taken = round(cores * float(psutil.cpu_percent(interval=0.5)) / 100)
    return max(1, cores - taken) if taken else None


async def closing_words(options: EngineOptions) -> tuple[str, ...]:
    """What the model itself says at the end of each user turn: asked for beforehand, the same for both sides.

    Fewer, or none, where the machine is too slow to generate them in a few seconds.
    """
    said: list[str] = []
    try:
        async with (
            running_engine(options) as engine,
            aiohttp.ClientSession() as http,
            asyncio.timeout(_PATIENCE_S),
        ):
            for question in _QUESTIONS:
                body = {"messages": [{"role": "user", "content": question}], "max_tokens": 24, "temperature": 0}
                async with http.post(f"{engine.url}/v1/chat/completions", json=body) as answer:
                    answer.raise_for_status()
                    message = (await answer.json())["choices"][0]["message"]
                    said.append(" ".join(str(message["content"]).split()))
    except TimeoutError:
        pass
    return tuple(said)


async def _play_side(
    name: str, options: EngineOptions, plan: Plan, gateway: GatewayOpener | None, progress: Progress, until: float
) -> SideResult:
    """One play on an engine of its own; without `gateway` straight to the chat endpoint."""
    progress(name, 0)
    async with running_engine(options) as engine, ScriptedServer(engine.url, AgentScript(plan)) as server:
        if gateway is None:
            async with PlainSide(server.url) as side:
                return await _measured(name, engine, server, plan, side, progress, until)
        async with gateway(server.url) as url, GatewaySide(url) as side:
            return await _measured(name, engine, server, plan, side, progress, until)


async def _measured(
    name: str,
    engine: Engine,
    server: ScriptedServer,
    plan: Plan,
    side: Side,
    progress: Progress,
    until: float,
) -> SideResult:
    memory = [engine.memory_bytes()]
    answered: list[PlayedTurn] = []

    def on_turn(turn: PlayedTurn) -> None:
        answered.append(turn)
        memory.append(engine.memory_bytes())
        progress(name, len(answered))

    session = AgentSession(plan)
    began = time.monotonic()
    turns = await play(session, side, on_turn, lambda: time.monotonic() < until)
    whole_s = time.monotonic() - began
    head_tokens = await _head_tokens(engine.url, plan, server.exchanges)
    return SideResult(
        name=name,
        turns=tuple(_costs(turns, server.exchanges, head_tokens)),
        memory_before=memory[0],
        memory_after=memory[-1],
        memory_peak=max(memory),
        whole_s=whole_s,
        complete=len(turns) == request_count(plan),
    )


def _costs(turns: Sequence[PlayedTurn], exchanges: Sequence[Exchange], head_tokens: dict[Kind, int]) -> list[TurnCost]:
    """The client's turns joined with the engine's counts: within one conversation both have the same order."""
    waiting: dict[Kind, list[Exchange]] = {"main": [], "title": [], "agent": []}
    for exchange in exchanges:
        if exchange.status == 200 and not exchange.cancelled:
            waiting[kind_of(exchange.request)].append(exchange)
    rows: list[TurnCost] = []
    for turn in turns:
        exchange = waiting[turn.kind].pop(0)
        rows.append(
            TurnCost(
                number=turn.number,
                kind=turn.kind,
                prompt_tokens=exchange.prompt_tokens,
                prefilled_tokens=exchange.prefilled_tokens,
                held_tokens=exchange.held_tokens,
                prompt_ms=exchange.prompt_ms,
                first_token_s=turn.first_token_s,
                head_again=exchange.cached_tokens < head_tokens[turn.kind],
            )
        )
    return rows


async def _head_tokens(url: str, plan: Plan, exchanges: Sequence[Exchange]) -> dict[Kind, int]:
    """Tokens of system prompt and tools in each conversation: all before the first message, as the engine counts."""
    heads: dict[Kind, int] = {}
    async with aiohttp.ClientSession() as http:
        for exchange in exchanges:
            kind = kind_of(exchange.request)
            if kind in heads or not exchange.prompt:
                continue
            first_turn = exchange.prompt.find("<|im_start|>user")
            text = exchange.prompt[: max(first_turn, 0)]
            async with http.post(f"{url}/tokenize", json={"content": text, "parse_special": True}) as answer:
                heads[kind] = len((await answer.json())["tokens"])
    return heads
