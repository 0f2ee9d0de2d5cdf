"""A conversation through the real gateway to a real engine of any kind of memory, and what can be seen of it.

    Visitor --> Gateway --> ScriptedServer (the engine generates the script's words) --> Engine

Nothing here knows which kind of engine it is: the tests compare what the same play costs on each of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from keepwarm.config import Config, override
from keepwarm.engine.llama import Engine
from keepwarm.ledger.records import Record
from keepwarm.ledger.server_side import Loss, Server, server_cause
from keepwarm.shell.app import Gateway, start_gateway
from keepwarm.testing.answers import Answer
from keepwarm.testing.scripted import Exchange, ScriptedServer

Json = dict[str, Any]
TOOL: Json = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}
WORDS = "alpha beta gamma delta "


def script(request: Json) -> Answer:
    """Some words that name the turn: the same for the same request."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    return Answer(f"Answer {turn}: done, step by step.")


class Stage:
    """The servers of one play, and what went through them."""

    def __init__(self, engine: Engine, server: ScriptedServer, gateway: Gateway, http: aiohttp.ClientSession) -> None:
        self.engine = engine
        self.server = server
        self.gateway = gateway
        self.records: list[Record] = []
        self._http = http
        gateway.watchers.append(self.records.append)

    async def ask(self, body: Json, session: str) -> str:
        """The words of the answer to a Messages body."""
        headers = {"x-claude-code-session-id": session}
        async with self._http.post(self.gateway.url + "/v1/messages", json=body, headers=headers) as answer:
            said = await answer.json()
            assert answer.status == 200, said
            return "".join(block["text"] for block in said["content"])

    def exchanges(self, name: str) -> list[Exchange]:
        """Those of one visitor."""
        return [exchange for exchange in self.server.exchanges if f"You are {name}." in exchange.prompt]

    async def cost(self) -> int:
        """Prompt tokens that the engine has processed in this play, hand-overs included, by its own count."""
        return await self.server.engine_prompt_tokens() - self.server.fed_total

    def loss(self, place: int, *, appended: bool) -> Loss:
        """What can be seen of the request at `place` of the ledger.

        appended   whether its client only appended: the verdict knows it from the two prompts
        """
        record = self.records[place]
        before = next((one for one in self.records if one.id == record.parent), None)
        assert before is not None, "the first of its conversation loses nothing"
        assert record.seat is not None
        between = self.records[self.records.index(before) + 1 : place]
        slot = record.seat.slot
        return Loss(
            actual=record.usage.cached_tokens,
            prompt_tokens=record.usage.prompt_tokens,
            before=before.usage.prompt_tokens,
            answer=before.usage.output_tokens,
            appended=appended,
            seated=slot is not None,
            handed_over=any(
                one.seat is not None and one.seat.slot == slot and one.lineage != record.lineage for one in between
            ),
        )

    async def cause(self, place: int, *, appended: bool, newborn: bool = False) -> str:
        """The rule that explains the loss, with what the gateway has found out about the server by itself."""
        traits = await self.gateway.upstream.traits()
        assert traits is not None
        reported = any(record.usage.cached_tokens for record in self.records[: place + 1])
        server = Server(memory=traits.memory, context=traits.context, reported=reported, newborn=newborn)
        return server_cause(self.loss(place, appended=appended), server)


class Visitor:
    """One conversation."""

    def __init__(self, stage: Stage, name: str, *, system: int = 500, turn: int = 30, session: str = "") -> None:
        """system, turn: how often WORDS (4 tokens) stands in the system prompt, and in each user turn."""
        self._stage = stage
        self._turn = turn
        self._session = session or name
        self.name = name
        self.system = f"You are {name}. " + WORDS * system
        self.messages: list[Json] = []

    async def say(self, text: str) -> Exchange:
        """One turn; what it was to the engine."""
        self.messages.append({"role": "user", "content": f"{text}: " + WORDS * self._turn})
        return await self.again()

    async def again(self) -> Exchange:
        """The newest turn, once more if it has been answered."""
        if self.messages[-1]["role"] == "assistant":
            self.messages.pop()
        body = {"model": "m", "max_tokens": 500, "system": self.system, "tools": [TOOL], "messages": self.messages}
        words = await self._stage.ask(body, self._session)
        self.messages.append({"role": "assistant", "content": words})
        return self._stage.exchanges(self.name)[-1]


@asynccontextmanager
async def staged(engine: Engine, folder: Path, *, generating: bool, **settings: Any) -> AsyncIterator[Stage]:
    """A gateway in front of `engine`, with a ledger in `folder`; `generating` as ScriptedServer has it."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer(engine.url, script, generating=generating))
        settings = {"upstream__url": server.url, "ledger__path": str(folder / "ledger.sqlite"), **settings}
        gateway = await start_gateway(override(Config(), port=0, **settings))
        stack.push_async_callback(gateway.stop)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        stage = Stage(engine, server, gateway, http)
        yield stage
