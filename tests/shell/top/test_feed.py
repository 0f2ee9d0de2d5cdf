"""Where pictures come from: a ledger that is written meanwhile, a real gateway, and things that are no gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from keepwarm.ledger.store import Ledger
from keepwarm.shell.top import feed as top_feed
from keepwarm.shell.top.feed import GatewayFeed, LedgerFeed
from keepwarm.views.top.head import Gateway
from keepwarm.views.top.picture import Asked
from tests.ledger.samples import a_record
from tests.shell.conftest import OpenGateway, OpenStub, hasty, open_gateway, open_stub
from tests.shell.stub import Stub
from tests.shell.talk import Talk, client_of
from tests.views.day import NOON, a_day
from tests.views.screens import write_ledger

__all__ = ["hasty", "open_gateway", "open_stub"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries again at once."""
    monkeypatch.setattr(top_feed, "RETRY_SECONDS", 0.01)


async def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    path, now = write_ledger(tmp_path / "ledger.sqlite", *a_day()), [NOON]
    feed = LedgerFeed(path, lambda: now[0])
    first = await feed.picture(Asked())
    assert first is not None
    assert first[1] == (), "what happened before the start is no alert"
    assert await feed.picture(Asked()) is None
    assert await feed.picture(Asked(words="qwen-code")) is not None, "another question"
    assert await feed.picture(Asked(words="qwen-code")) is None
    now[0] += 6.0
    assert await feed.picture(Asked(words="qwen-code")) is not None, "the period has moved on"
    ledger = Ledger(path)
    ledger.put(a_record(id="new1", at=NOON))
    ledger.flush()
    news = await feed.picture(Asked())
    assert news is not None
    assert news[0].records[0].id == "new1"
    ledger.close()
    await feed.close()


async def test_a_cause_that_is_new_is_told_once(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", *a_day())
    feed = LedgerFeed(path, lambda: NOON)
    await feed.picture(Asked())
    broken = next(record for record in a_day() if record.verdict and record.verdict.causes == ("VOL001",))
    assert broken.verdict is not None
    ledger = Ledger(path)
    found = []
    for number, code in enumerate(("VOL001", "ORD001", "ORD001")):
        ledger.put(replace(broken, id=f"new{number}", verdict=replace(broken.verdict, causes=(code,))))
        ledger.flush()
        news = await feed.picture(Asked())
        assert news is not None
        found += [alert.cause for alert in news[1] if alert.kind == "cause"]
    ledger.close()
    await feed.close()
    assert found == ["ORD001"]


async def test_a_ledger_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    feed = LedgerFeed(path, lambda: NOON)
    nothing = await feed.picture(Asked())
    assert nothing is not None
    assert "keepwarm serve" in nothing[0].trouble
    assert await feed.detail("a10000") is None
    write_ledger(path, *a_day())
    something = await feed.picture(Asked())
    assert something is not None
    assert something[0].rows
    detail = await feed.detail("a5" + "0" * 22)
    assert detail is not None
    assert detail.previous is not None
    await feed.close()


async def until(said: AsyncIterator[Gateway], condition: Callable[[Gateway], bool]) -> Gateway:
    """The first thing that is said of which `condition` holds."""
    async with asyncio.timeout(30):
        async for one in said:
            if condition(one):
                return one
    raise AssertionError("it has ended")


@pytest.mark.usefixtures("hasty")
async def test_a_real_gateway_is_followed(open_stub: OpenStub, open_gateway: OpenGateway, tmp_path: Path) -> None:
    stub: Stub = await open_stub()
    gateway = await open_gateway(stub.url)
    url = gateway.url
    ledger = LedgerFeed(tmp_path / "ledger.sqlite")
    async with aclosing(GatewayFeed(url).follow()) as said:
        first = await until(said, lambda one: one.live is not None)
        assert first.live is not None
        assert first.live.gateway.url == url
        async with client_of(gateway) as client:
            await Talk(client, "talk-one").turn()
        assert gateway.ledger is not None
        await asyncio.to_thread(gateway.ledger.flush)
        seated = await until(said, lambda one: one.live is not None and one.live.upstream.kind != "")
        assert seated.live is not None
        assert seated.live.upstream.url == stub.url
        picture = await ledger.picture(Asked())
        assert picture is not None
        assert picture[0].totals is not None
        assert picture[0].totals.requests == 1
        assert picture[0].rows[0].name == "talk-one"
        await gateway.stop()
        gone = await until(said, lambda one: one.live is None)
        assert gone.url == url
    await ledger.close()


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [(404, "", "another program, or an older keepwarm"), (401, "", "KEEPWARM_KEY"), (200, "<html>", "no keepwarm")],
)
async def test_what_is_no_gateway_is_told(status: int, body: str, told: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    application = web.Application()
    application.router.add_get("/api/live", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        said = await GatewayFeed(f"http://127.0.0.1:{runner.addresses[0][1]}").once()
    finally:
        await runner.cleanup()
    assert said.live is None
    assert told in said.trouble


async def test_nobody_there(free_port: int) -> None:
    said = await GatewayFeed(f"http://127.0.0.1:{free_port}").once()
    assert (said.live, said.trouble) == (None, "")


async def test_an_address_that_is_none() -> None:
    said = await GatewayFeed("not an address").once()
    assert said.live is None
