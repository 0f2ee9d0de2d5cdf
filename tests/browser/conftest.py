"""A real Chromium in front of a real gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright

from keepwarm.testing.browser import ARGUMENTS, find_chromium
from tests.shell.conftest import OpenGateway, OpenStub, engine_for, http, model, open_gateway, open_stub

__all__ = ["OpenGateway", "OpenStub", "engine_for", "http", "model", "open_gateway", "open_stub"]

OpenPage = Callable[..., Awaitable[Page]]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """The browser; fails, and says what to install, where there is none."""
    found = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.program, args=list(ARGUMENTS), env=found.environment()
        )
        yield browser
        await browser.close()


@pytest.fixture
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
    assert faults == []
