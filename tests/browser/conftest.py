"""A real Chromium in front of a real gateway. A file has one, which takes a second to start; pages are a test's own.

So the tests of a file share an event loop (their `pytestmark`), and what they wait for runs on it too (`on_loop`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from keepwarm.testing.browser import ARGUMENTS, find_chromium
from tests.shell.conftest import OpenGateway, OpenStub, client, engine_for, gateways, model, stubs

__all__ = ["OpenGateway", "OpenStub", "engine_for", "model"]

OpenPage = Callable[..., Awaitable[Page]]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


on_loop = pytest_asyncio.fixture(loop_scope="module")
"""A fixture of one test, on the loop of its file."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; fails, and says what to install, where there is none."""
    found = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.program, args=list(ARGUMENTS), env=found.environment()
        )
        yield browser
        await browser.close()


@on_loop
async def open_gateway(tmp_path: Path) -> AsyncIterator[OpenGateway]:
    """As tests/shell has it."""
    async with gateways(tmp_path) as start:
        yield start


@on_loop
async def open_stub() -> AsyncIterator[OpenStub]:
    """As tests/shell has it."""
    async with stubs() as start:
        yield start


@on_loop
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """As tests/shell has it."""
    async with client() as session:
        yield session


@on_loop
async def open_page(chromium: Browser) -> AsyncIterator[OpenPage]:
    """await open_page(url, "#/live", viewport=PHONE, color_scheme="dark", allowed="404"): a page of the dashboard.

    When the test ends no page may have told its console of an error; `allowed`: but one that has these words.
    """
    faults: list[str] = []

    async def start(url: str, where: str = "", *, allowed: str = "", **options: Any) -> Page:
        context = await chromium.new_context(
            **{"viewport": DESK, "color_scheme": "light", "locale": "en-US", **options}
        )
        context.set_default_timeout(20_000)
        page = await context.new_page()
        page.on("pageerror", lambda error: faults.append(f"{where}: {error.stack or error.message}"))
        page.on(
            "console",
            lambda said: (
                faults.append(f"{where}: {said.text}")
                if said.type in ("error", "warning") and not (allowed and allowed in said.text)
                else None
            ),
        )
        await page.goto(f"{url}/ui{where}")
        return page

    yield start
    for context in chromium.contexts:
        await context.close()
    assert faults == []
