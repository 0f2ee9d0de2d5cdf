"""A scenario, played: its client, the real gateway, the scripted server, a real engine (`stands`).

    client --> Gateway --> (Router -->) scripted server --> llama.cpp or vLLM

Requests go out one after the other, so the order of the server's exchanges and of the ledger's records is theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.shell.app import Gateway, start_gateway
from keepwarm.testing.agent_player import ChatAnswer, MessagesAnswer
from keepwarm.testing.answers import PIECE
from keepwarm.testing.scenarios.ideal import IN_COMMON, in_common, kept
from keepwarm.testing.scenarios.injection import Server as Kind
from keepwarm.testing.scenarios.plan import MODEL, Ask, PlanScript, number_of
from keepwarm.testing.scenarios.played import Played, Setting, Step, unlike, words_of
from keepwarm.testing.scenarios.router import Router
from keepwarm.testing.scenarios.scenario import Client, Request, Scenario
from keepwarm.testing.scenarios.stands import LLAMA, PATIENCE, Server, Stand
from keepwarm.testing.scripted import Exchange

Json = dict[str, Any]


async def play(
    scenario: Scenario, setting: Setting, engines: Sequence[str], ledger: Path, stand: Stand[Any] = LLAMA
) -> Played:
    """Play `scenario`; `ledger` is where its records go.

    engines   URLs of running servers, all alike: two where the scenario wants two, of which nobody else asks anything
              meanwhile. A vLLM may stand there twice: each scripted server has a cache of its own in it
    stand     what they are

    On an engine that caches blocks a request's ideal counts as kept what fills blocks, and no more.
    """
    async with AsyncExitStack() as stack:
        stage = Stage(scenario, setting, ledger, stand)
        await stage.build(stack, engines)
        before = await stage.engine_tokens()
        await stage.play()
        return await stage.report(before)


class Stage:
    """The servers of one scenario while it is played."""

    def __init__(self, scenario: Scenario, setting: Setting, ledger: Path, stand: Stand[Any] = LLAMA) -> None:
        self._stand = stand
        self.client = Client(scenario)
        self.setting = setting
        self.faults: list[str] = []
        self._requests: list[Request] = []
        self._ledger = ledger
        self._servers: list[Server] = []
        self._router: Router | None = None
        self._gateway: Gateway
        self._http: aiohttp.ClientSession
        self._written = 0
        self._news = asyncio.Event()

    async def build(self, stack: AsyncExitStack, engines: Sequence[str]) -> None:
        """Start all of it; `stack` ends it."""
        kinds: set[Kind] = {injection.server for injection in self.client.injections} - {"plain"}
        several = kinds & {"models", "replicas"}
        for url in engines[: 2 if several else 1]:
            script = PlanScript(self.client.plan)
            server = self._stand.server(url, script, self._cut, hoist="hoisting" in kinds)
            self._servers.append(await stack.enter_async_context(server))
        url = self._servers[0].url
        if several:
            choose = _by_model if "models" in several else _in_turns
            self._router = await stack.enter_async_context(Router([one.url for one in self._servers], choose))
            url = self._router.url
        self._upstream = url
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        self._http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        await self._start()
        stack.push_async_callback(self._stop)

    async def play(self) -> None:
        """Send all requests, one after the other; the first that fails ends the play."""
        for ask in self.client.plan.asks:
            if ask.restart:
                await self._stop()
                await self._start()
            request = self.client.request(ask.number)
            self._requests.append(request)
            if not await self._send(ask, request):
                return
            await self._settled(len(self._requests))

    async def report(self, engine_tokens: int) -> Played:
        """What came of it; `engine_tokens` is what the engines' own count was before."""
        await self._stop()
        with Query(self._ledger) as query:
            records = tuple(reversed(query.page(limit=1000).records))
        exchanges = self._exchanges()
        if not len(records) == len(exchanges) == len(self._requests) == len(self.client.plan.asks):
            counts = f"{len(self._requests)} requests, {len(exchanges)} exchanges, {len(records)} records"
            self.faults.append(f"{counts} of {len(self.client.plan.asks)}")
        ideals = await self._ideals(exchanges)
        fed = sum(server.fed_total for server in self._servers)
        return Played(
            scenario=self.client.scenario,
            setting=self.setting,
            steps=tuple(map(Step, self._requests, records, exchanges, ideals)),
            faults=tuple(self.faults),
            engine_tokens=await self.engine_tokens() - engine_tokens - fed,
            block=self._stand.block(self._servers[0]),
        )

    async def engine_tokens(self) -> int:
        """Prompt tokens that the engines have processed, by their own count."""
        engines = {server.engine_url: server for server in self._servers}
        return sum([await server.engine_prompt_tokens() for server in engines.values()])

    # The servers

    def _cut(self, body: Json) -> int:
        """An answer that the client is to cut stops where it is cut until the client is gone."""
        return self.client.plan.asks[number_of(body)].cut

    async def _start(self) -> None:
        settings = override(Config(), upstream__url=self._upstream, port=0, ledger__path=str(self._ledger))
        settings = override(settings, exact=self.setting.exact)
        if not self.setting.mends:
            kind = "anthropic" if self.client.scenario.shape == "messages" else None
            settings = override(settings, upstream__rewrite=False, upstream__kind=kind)
        self._gateway = await start_gateway(override(settings, **dict(self.setting.config)))
        self._gateway.watchers.append(self._count)

    async def _stop(self) -> None:
        await self._gateway.inquiries.settled()
        await self._gateway.stop()

    def _count(self, record: Record) -> None:
        self._written += 1
        self._news.set()

    async def _settled(self, count: int) -> None:
        """Wait until so many requests have their exchange and their record."""
        async with asyncio.timeout(PATIENCE):
            server = self._servers[0 if self._router is None else self._router.went[-1]]
            await server.until(lambda: sum(len(one.exchanges) for one in self._servers) >= count)
            while self._written < count:
                self._news.clear()
                await self._news.wait()

    def _exchanges(self) -> list[Exchange]:
        """All exchanges in the order of the requests."""
        if self._router is None:
            return list(self._servers[0].exchanges)
        rows = [iter(server.exchanges) for server in self._servers]
        return [next(rows[went]) for went in self._router.went]

    # The client's side

    async def _send(self, ask: Ask, request: Request) -> bool:
        """Send a request and hear the answer, or as much of it as the plan says."""
        answer = MessagesAnswer() if self.client.scenario.shape == "messages" else ChatAnswer()
        url, headers = self._gateway.url + request.path, dict(request.headers)
        async with self._http.post(url, data=request.body, headers=headers) as response:
            if response.status != 200:
                self.faults.append(f"request {ask.number}: {response.status} {(await response.text())[:300]}")
                return False
            async for event in _events(response):
                if "error" in event:
                    self.faults.append(f"request {ask.number} broke off: {event['error']}")
                    return False
                answer.take(event)
                if ask.cut and len(words_of(answer.blocks())) >= ask.cut * PIECE:
                    response.close()
                    break
        blocks = answer.blocks()
        self._hear(ask, blocks)
        return True

    def _hear(self, ask: Ask, blocks: list[Json]) -> None:
        calls = [block for block in blocks if block["type"] == "tool_use"]
        signatures = [block.get("signature", "") for block in blocks if block["type"] == "thinking"]
        if not ask.cut and (fault := unlike(ask.answer, blocks)):
            self.faults.append(f"request {ask.number}: the client heard other {fault} than was generated")
        self.client.hear(ask.number, [call["id"] for call in calls], signatures[-1] if signatures else "")

    # The ideal

    async def _ideals(self, exchanges: Sequence[Exchange]) -> list[int]:
        ideals: list[int] = []
        block = self._stand.block(self._servers[0])
        for number, exchange in enumerate(exchanges):
            before = self.client.plan.asks[number].before
            held = kept(self.client, number, exchanges, () if self._router is None else self._router.went)
            if held == IN_COMMON and before is not None:
                held = in_common(await self._plain_tokens(before), await self._plain_tokens(number))
            ideals.append(max(1, exchange.prompt_tokens - held // block * block))
        return ideals

    async def _plain_tokens(self, number: int) -> list[int]:
        unfixed, shape = self.client.unfixed(number), self.client.scenario.shape
        return await self._stand.tokens(self._servers[0], unfixed, shape)


def _by_model(body: Json, before: int) -> int:
    return int(body.get("model") != MODEL)


def _in_turns(body: Json, before: int) -> int:
    return before % 2


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    """The JSON of each data line."""
    buffer = b""
    async for piece in response.content.iter_any():
        *lines, buffer = (buffer + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                yield json.loads(line[5:])
