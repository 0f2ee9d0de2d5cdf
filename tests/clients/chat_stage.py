"""One cell of the matrix of agents that speak Chat Completions, played as `stage.py` plays Claude Code.

agent --> Recorder --> Gateway --> ScriptedServer --> Engine
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.shell.app import start_gateway
from keepwarm.testing.chat_agent import ChatAgent
from keepwarm.testing.chat_sessions import ChatSession, chat_session, scouts_session, script_for
from keepwarm.testing.qwen_code import QwenCode
from keepwarm.testing.scripted import ScriptedServer
from tests.clients.recorder import Recorder
from tests.clients.stage import Played, running_engine

Kind = Literal["processes", "editor", "scouts"]
KINDS: Final = {
    "processes": "four turns, a process each",
    "editor": "four turns in an editor, guesses",
    "scouts": "two sub-agents, two processes",
}


class ChatCell(msgspec.Struct, frozen=True):
    """What is played."""

    agent: type[ChatAgent]
    template: str
    slots: int
    kind: Kind = "processes"
    """processes: four turns, a process for each. editor: all of them in one, which guesses after each what the user
    says next. scouts: a turn with two sub-agents at once, and one behind it in a second process."""
    keep: bool = True
    """False: the agent goes straight to the server."""

    @property
    def who(self) -> str:
        """See Setting."""
        return self.agent.name

    @property
    def what(self) -> str:
        """See Setting."""
        return KINDS[self.kind]


class Stage:
    """The servers of a cell, running; `play` may be called once."""

    def __init__(self, cell: ChatCell, folder: Path, server: ScriptedServer, recorder: Recorder) -> None:
        self._cell = cell
        self._server = server
        self._workdir = folder / "work"
        self._agent = cell.agent(folder / "home", recorder.url, self._workdir)

    async def play(self, session: ChatSession) -> list[str]:
        """Play the whole session: what shows that it was not walked through."""
        session.prepare(self._workdir)
        if self._cell.kind == "editor":
            assert isinstance(self._agent, QwenCode)
            runs = await self._agent.converse(session.turns, self._all_answered, timeout=600)
        else:
            turns = enumerate(session.turns)
            runs = tuple([await self._agent.run(words, continue_=turn > 0, timeout=400) for turn, words in turns])
        faults = [fault for turn, run in enumerate(runs) for fault in session.faults(turn, run)]
        return faults + session.misplaced(self._workdir)

    async def _all_answered(self) -> None:
        await self._server.until(lambda: len(self._server.exchanges) == self._server.arrived)


@asynccontextmanager
async def playing(cell: ChatCell, folder: Path) -> AsyncIterator[tuple[Played, ScriptedServer]]:
    """Play `cell` in `folder`; engine and scripted server still run inside, to render and count with."""
    make = scouts_session if cell.kind == "scouts" else chat_session
    session = make(folder / "work", cell.agent.hands)
    async with running_engine(cell) as engine, ScriptedServer(engine.url, script_for(session)) as server:
        async with target(cell, folder, server) as (url, records), Recorder(url) as recorder:
            faults = await Stage(cell, folder, server, recorder).play(session)
        yield (
            Played(
                cell=cell,
                faults=tuple(faults),
                bodies=tuple(recorder.bodies),
                statuses=tuple(recorder.statuses),
                exchanges=tuple(server.exchanges),
                records=tuple(records),
                continued=len(recorder.bodies),
                engine_tokens=await server.engine_prompt_tokens(),
                fed=server.fed_total,
                claims=tuple(recorder.claims),
                headers=tuple(recorder.headers),
            ),
            server,
        )


@asynccontextmanager
async def target(cell: ChatCell, folder: Path, server: ScriptedServer) -> AsyncIterator[tuple[str, list[Record]]]:
    """Where the agent goes: a gateway in front of `server`, or `server` itself. The ledger's records are there when
    the gateway has ended, oldest first."""
    records: list[Record] = []
    if not cell.keep:
        yield server.url, records
        return
    ledger = folder / "ledger.sqlite"
    gateway = await start_gateway(override(Config(), upstream__url=server.url, port=0, ledger__path=str(ledger)))
    try:
        yield gateway.url, records
    finally:
        await gateway.stop()
    with Query(ledger) as query:
        records += reversed(query.page(limit=500).records)
