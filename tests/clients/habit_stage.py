"""One habit of Claude Code, played as `stage.py` plays its sessions, but one process after the other.

claude --> Recorder --> Gateway --> ScriptedServer --> Engine
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.shell.app import start_gateway
from keepwarm.testing.claude_code import ClaudeCode
from keepwarm.testing.claude_habits import Habit
from keepwarm.testing.scripted import ScriptedServer
from tests.clients.recorder import Recorder
from tests.clients.stage import Client, Played, running_engine


class HabitCell(msgspec.Struct, frozen=True):
    """What is played."""

    client: Client
    template: str
    slots: int
    habit: Callable[[Path], Habit]
    keep: bool = True
    """See Setting."""

    @property
    def who(self) -> str:
        """See Setting."""
        return f"Claude Code {self.client.name}"

    @property
    def what(self) -> str:
        """See Setting."""
        return self.habit.__name__.replace("_", " ")


@asynccontextmanager
async def playing(cell: HabitCell, folder: Path) -> AsyncIterator[tuple[Played, ScriptedServer]]:
    """Play `cell` in `folder`; engine and scripted server still run inside, to render and count with."""
    work, ledger = folder / "work", folder / "ledger.sqlite"
    habit = cell.habit(work)
    habit.prepare(work)
    async with running_engine(cell) as engine, ScriptedServer(engine.url, habit.script()) as server:
        settings = override(Config(), upstream__url=server.url, port=0, ledger__path=str(ledger), keep=cell.keep)
        gateway = await start_gateway(settings)
        try:
            async with Recorder(gateway.url) as recorder:
                client = cell.client
                agent = ClaudeCode(
                    client.version, folder / "home", recorder.url, work, client.first_party, habit.environment
                )
                faults = await habit.walk(agent)
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
                continued=len(server.exchanges),
                engine_tokens=await server.engine_prompt_tokens(),
                fed=server.fed_total,
            ),
            server,
        )
