"""A balancer in front of two real engines: a conversation stays on one where the balancer reads the key."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from keepwarm.ledger.records import Record
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, Records
from tests.shell.stub import message_body
from tests.testing.conftest import EngineFor

TURNS = 4
Choose = Callable[[web.Request], int]


def in_turn() -> Choose:
    """The next one each time."""
    numbers = count()
    return lambda request: next(numbers)


def by_key(request: web.Request) -> int:
    """Always the same one for a key."""
    return zlib.crc32(request.headers["x-smg-routing-key"].encode())


@asynccontextmanager
async def balancer(urls: list[str], choose: Choose) -> AsyncIterator[str]:
    """The address of a balancer that sends completions where `choose` says, and names the engine that answered."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            url = urls[choose(request) % len(urls)]
            async with session.post(url + request.path, data=await request.read()) as answer:
                body = await answer.read()
                headers = {"content-type": answer.headers["content-type"], "x-smg-routed-worker-id": url}
                return web.Response(body=body, status=answer.status, headers=headers)

        application = web.Application()
        application.router.add_post("/v1/chat/completions", forward)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def converse(http: aiohttp.ClientSession, url: str, name: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"{name} " + "word " * 600}]
    for _ in range(TURNS):
        body = message_body(messages=messages, max_tokens=4)
        status, said = await post(http, url, body, **{"x-claude-code-session-id": name})
        assert status == 200
        messages += [{"role": "assistant", "content": said["content"]}, {"role": "user", "content": "go on"}]


@pytest.mark.parametrize("keyed", [False, True])
async def test_a_conversation_that_is_spread_is_named_and_one_with_a_key_stays(
    keyed: bool, engine_for: EngineFor, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    engines = [engine_for(context=context).url for context in (65_536, 65_537)]
    async with balancer(engines, by_key if keyed else in_turn()) as url:
        gateway = await open_gateway(url, upstream__kind="chat")
        records = Records(gateway)
        for name in (f"one {keyed}", f"two {keyed}"):
            await converse(http, gateway.url, name)
        await records.until(2 * TURNS)
    for talk in (records[:TURNS], records[TURNS:]):
        assert judged(talk) == (["hit"] * 3 if keyed else ["miss seat SEA002", "hit", "hit"])
        assert len({record.seat.replica for record in talk if record.seat is not None}) == (1 if keyed else 2)


def judged(talk: list[Record]) -> list[str]:
    """Outcome, blame and causes of each turn but the first; each engine holds a conversation from its second on."""
    verdicts = [record.verdict for record in talk[1:] if record.verdict is not None]
    return [
        verdict.outcome if verdict.outcome == "hit" else " ".join((verdict.outcome, verdict.blame, *verdict.causes))
        for verdict in verdicts
    ]
