"""One cell of the matrix, played: the real Claude Code, a recorder, the real gateway, a script, the real llama.cpp.

    claude --> Recorder --> Gateway --> ScriptedServer --> Engine

Each cell has engine, gateway, ledger, homes and folders of its own: nothing is warm from another one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from keepwarm.config import Config, override
from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.shell.app import start_gateway
from keepwarm.testing import claude_sessions
from keepwarm.testing.claude_code import ClaudeCode
from keepwarm.testing.claude_sessions import ClaudeSession
from keepwarm.testing.scripted import Exchange, ScriptedServer
from keepwarm.testing.templates import template_text
from keepwarm.testing.tiny_model import tiny_model
from tests.clients.recorder import Recorder

Kind = Literal["main", "pair", "scouts"]
CONTEXT = 49_152
"""Tokens a slot: more than any of the sessions comes to."""
# llama.cpp's threads wait for each other by spinning: with a second worker on the machine one thread is the faster.
THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
# Claude Code makes title calls and the like only when nothing forbids them.
CHATTY = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": ""}


KINDS: Final = {
    "main": "two turns, then -c",
    "pair": "two sessions at once",
    "scouts": "two sub-agents, side calls",
}


class Setting(Protocol):
    """What the judge and the table need to know of a cell, whoever the client is."""

    @property
    def template(self) -> str:
        """The chat template."""

    @property
    def slots(self) -> int:
        """Slots of the engine."""

    @property
    def keep(self) -> bool:
        """False: the gateway only translates; that is the straight way to the chat endpoint."""

    @property
    def who(self) -> str:
        """The client, as the table shows it."""

    @property
    def what(self) -> str:
        """The session, as the table shows it."""


class Client(msgspec.Struct, frozen=True):
    """A way in which Claude Code treats its header."""

    version: str
    first_party: bool = False

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.version} first-party" if self.first_party else self.version


class Cell(msgspec.Struct, frozen=True):
    """What is played."""

    client: Client
    template: str
    slots: int
    kind: Kind = "main"
    """main: two turns of one agent, then `-c` in a second process. pair: two sessions at once. scouts: a session
    with two sub-agents at once and all the side calls that the client likes to make."""
    keep: bool = True
    """See Setting."""

    @property
    def who(self) -> str:
        """See Setting."""
        return f"Claude Code {self.client.name}"

    @property
    def what(self) -> str:
        """See Setting."""
        return KINDS[self.kind]


class Played(msgspec.Struct, frozen=True):
    """What came of it."""

    cell: Setting
    faults: tuple[str, ...]
    """What shows that a session was not walked through."""
    bodies: tuple[dict[str, Any], ...]
    """The client's own requests."""
    statuses: tuple[int, ...]
    """How they were answered."""
    exchanges: tuple[Exchange, ...]
    """What reached the server."""
    records: tuple[Record, ...]
    """The ledger, oldest first."""
    continued: int
    """How many of `exchanges`, and of `bodies`, were there when the second process began; all where there was none."""
    engine_tokens: int
    """Prompt tokens processed by the engine's own count, answers left in slots included."""
    fed: int
    """Of these, tokens that stand for generation."""
    claims: tuple[tuple[int, int], ...] = ()
    """(prompt tokens, cached ones) as the client was told, where it speaks chat completions."""
    headers: tuple[dict[str, str], ...] = ()
    """Of `bodies`, names in lower case."""


class Stage:
    """The servers of a cell, running; `play` may be called once."""

    def __init__(self, cell: Cell, folder: Path, engine: Engine, server: ScriptedServer, recorder: Recorder) -> None:
        self.cell = cell
        self.engine = engine
        self.server = server
        self.recorder = recorder
        self._folder = folder

    def _agent(self, session: ClaudeSession) -> ClaudeCode:
        client = self.cell.client
        home, work = self._folder / f"home-{session.name}", workdir(self._folder, session.name)
        session.prepare(work)
        extra = CHATTY if self.cell.kind == "scouts" else {}
        return ClaudeCode(client.version, home, self.recorder.url, work, client.first_party, extra)

    async def play(self, sessions: Sequence[ClaudeSession]) -> tuple[list[str], int]:
        """Play all sessions at once, then go on with a single one in a second process: (faults, `continued`)."""
        agents = [self._agent(session) for session in sessions]
        runs = await asyncio.gather(
            *(agent.converse(session.turns, timeout=400) for agent, session in zip(agents, sessions, strict=True))
        )
        faults = [
            fault
            for agent, session, run in zip(agents, sessions, runs, strict=True)
            for fault in session.faults(run, agent.workdir)
        ]
        continued = len(self.server.exchanges)
        if self.cell.kind == "main":
            run = await agents[0].run(sessions[0].continuation, continue_=True, timeout=200)
            said = [result.get("result") for result in run.results()]
            wanted = sessions[0].scripts[sessions[0].continuation.rsplit("SCRIPT ", 1)[1]][-1].text
            if run.returncode or run.tool_errors() or said != [wanted]:
                faults.append(f"-c ended with {run.returncode} and {said}: {run.stderr[-500:]}")
        return faults, continued


def workdir(folder: Path, name: str) -> Path:
    """Where a session works."""
    return folder / f"work-{name}"


def sessions_of(cell: Cell, folder: Path) -> tuple[ClaudeSession, ...]:
    """The sessions that a cell plays."""
    if cell.kind == "pair":
        return claude_sessions.interleaved_sessions(workdir(folder, "beta"), workdir(folder, "gamma"))
    if cell.kind == "scouts":
        return (claude_sessions.subagent_session(workdir(folder, "delta"), cell.client.version),)
    return (claude_sessions.main_session(workdir(folder, "alpha")),)


@asynccontextmanager
async def running_engine(cell: Setting) -> AsyncIterator[Engine]:
    """A llama.cpp of the cell's own."""
    options = EngineOptions(
        model=tiny_model(),
        slots=cell.slots,
        context=CONTEXT * cell.slots,
        threads=THREADS,
        cache_ram_mib=1024,
        chat_template=template_text(cell.template),
    )
    engine = await asyncio.to_thread(Engine(options).start)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.stop)


@asynccontextmanager
async def playing(cell: Cell, folder: Path) -> AsyncIterator[tuple[Played, ScriptedServer]]:
    """Play `cell` in `folder`; engine and scripted server still run inside, to render and count with."""
    sessions = sessions_of(cell, folder)
    ledger = folder / "ledger.sqlite"
    async with (
        running_engine(cell) as engine,
        ScriptedServer(engine.url, claude_sessions.script_for(*sessions)) as server,
    ):
        settings = override(Config(), upstream__url=server.url, port=0, ledger__path=str(ledger), keep=cell.keep)
        gateway = await start_gateway(settings)
        try:
            async with Recorder(gateway.url) as recorder:
                faults, continued = await Stage(cell, folder, engine, server, recorder).play(sessions)
        finally:
            await gateway.stop()
        with Query(ledger) as query:
            records = tuple(reversed(query.page(limit=500).records))
        yield (
            Played(
                cell=cell,
                faults=tuple(faults),
                bodies=tuple(recorder.bodies),
                statuses=tuple(recorder.statuses),
                exchanges=tuple(server.exchanges),
                records=records,
                continued=continued,
                engine_tokens=await server.engine_prompt_tokens(),
                fed=server.fed_total,
            ),
            server,
        )
