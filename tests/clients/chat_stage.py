"""One cell of the matrix of agents that speak Chat Completions, played as `stage.py` plays Claude Code.

agent --> Recorder --> Gateway --> ScriptedServer --> Engine
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.shell.app import start_gateway
from keepwarm.testing.chat_agent import ChatAgent
from keepwarm.testing.chat_sessions import ChatSession, chat_session, script_for
from keepwarm.testing.scripted import ScriptedServer
from tests.clients.recorder import Recorder
from tests.clients.stage import Played, running_engine


class ChatCell(msgspec.Struct, frozen=True):
    """What is played: a session of four user turns, each in a process of its own."""

    agent: type[ChatAgent]
    template: str
    slots: int
    keep: bool = True
    """See Setting."""

    @property
    def who(self) -> str:
        """See Setting."""
        return self.agent.name

    @property
    def what(self) -> str:
        """See Setting."""
        return "four turns, a process each"


async def walk(cell: ChatCell, session: ChatSession, folder: Path, recorder: Recorder) -> tuple[list[str], int]:
    """Play the whole session: (faults, how many requests there were when the second process began)."""
    work = folder / "work"
    session.prepare(work)
    agent = cell.agent(folder / "home", recorder.url, work)
    faults: list[str] = []
    continued = 0
    for turn, words in enumerate(session.turns):
        if turn == 1:
            continued = len(recorder.bodies)
        faults += session.faults(turn, await agent.run(words, continue_=turn > 0, timeout=400))
    return faults + session.misplaced(work), continued


@asynccontextmanager
async def playing(cell: ChatCell, folder: Path) -> AsyncIterator[tuple[Played, ScriptedServer]]:
    """Play `cell` in `folder`; engine and scripted server still run inside, to render and count with."""
    session = chat_session(folder / "work", cell.agent.hands)
    ledger = folder / "ledger.sqlite"
    async with running_engine(cell) as engine, ScriptedServer(engine.url, script_for(session)) as server:
        settings = override(Config(), upstream__url=server.url, port=0, ledger__path=str(ledger), keep=cell.keep)
        gateway = await start_gateway(settings)
        try:
            async with Recorder(gateway.url) as recorder:
                faults, continued = await walk(cell, session, folder, recorder)
        finally:
            await gateway.stop()
        with Query(ledger) as query:
            records = tuple(reversed(query.page(limit=500).records))
        outcome: dict[str, Any] = {"cell": cell, "faults": tuple(faults), "continued": continued, "records": records}
        outcome |= {name: tuple(getattr(recorder, name)) for name in ("bodies", "statuses", "claims", "headers")}
        engine_tokens = await server.engine_prompt_tokens()
        yield (
            Played(**outcome, exchanges=tuple(server.exchanges), engine_tokens=engine_tokens, fed=server.fed_total),
            server,
        )
