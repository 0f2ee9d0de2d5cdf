"""A real gateway on a real socket, in front of whatever a test puts behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from keepwarm.config import Config, override
from keepwarm.ledger.records import Record
from keepwarm.shell.app import Gateway, start_gateway
from tests.shell.stub import Respond, Stub, hello, running
from tests.testing.conftest import engine_for, model

__all__ = ["engine_for", "model"]

OpenGateway = Callable[..., Awaitable[Gateway]]
OpenStub = Callable[..., Awaitable[Stub]]


class Records(list[Record]):
    """The records of a gateway, as they are written."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._came = asyncio.Event()
        gateway.watchers.append(self._take)

    def _take(self, record: Record) -> None:
        self.append(record)
        self._came.set()

    async def until(self, count: int) -> None:
        """Wait until there are so many."""
        async with asyncio.timeout(30):
            while len(self) < count:
                self._came.clear()
                await self._came.wait()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of hundredths of a second instead of seconds."""
    monkeypatch.setattr("keepwarm.exchange.relay.PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr("keepwarm.exchange.relay.PING_SECONDS", 0.02)
    monkeypatch.setattr("keepwarm.exchange.relay.WHOLE_AFTER_MS", 0.0)


@pytest.fixture
async def open_gateway(tmp_path: Path) -> AsyncIterator[OpenGateway]:
    """await open_gateway(url, key="..", ledger__record=True): a running gateway, stopped when the test ends."""
    async with gateways(tmp_path) as start:
        yield start


@asynccontextmanager
async def gateways(folder: Path) -> AsyncIterator[OpenGateway]:
    """Gateways with their ledger in `folder`, stopped in the end."""
    opened: list[Gateway] = []

    async def start(upstream: str, **settings: Any) -> Gateway:
        settings.setdefault("ledger__path", str(folder / "ledger.sqlite"))
        gateway = await start_gateway(override(Config(), upstream__url=upstream, port=0, **settings))
        opened.append(gateway)
        return gateway

    try:
        yield start
    finally:
        for gateway in opened:
            await gateway.stop()


@pytest.fixture
async def open_stub() -> AsyncIterator[OpenStub]:
    """await open_stub(respond, slots=2): a stub server, stopped when the test ends."""
    async with stubs() as start:
        yield start


@asynccontextmanager
async def stubs() -> AsyncIterator[OpenStub]:
    """Stub servers, stopped in the end."""
    async with AsyncExitStack() as stack:

        async def start(respond: Respond = hello, **options: Any) -> Stub:
            return await stack.enter_async_context(running(Stub(respond, **options)))

        yield start


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without time-outs of its own."""
    async with client() as session:
        yield session


def client() -> aiohttp.ClientSession:
    """A patient one."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), read_bufsize=1 << 22)
