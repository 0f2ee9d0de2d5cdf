"""A thousand sessions: the page stays as light as with ten. What it costs is measured and logged, never asserted."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from playwright.async_api import Page

from keepwarm.shell.app import Gateway
from tests.browser import made_ledger
from tests.browser.conftest import OpenGateway, OpenPage, OpenStub, on_loop

pytestmark = pytest.mark.asyncio(loop_scope="module")

log = logging.getLogger(__name__)
SESSIONS = 1000
ROWS = "[role=table][aria-label=Sessions] .rows .row"


@on_loop
async def gateway(tmp_path: Path, open_gateway: OpenGateway, open_stub: OpenStub) -> Gateway:
    made_ledger.write(tmp_path / "ledger.sqlite", SESSIONS, now=time.time())
    return await open_gateway((await open_stub()).url)


async def heap(page: Page) -> float:
    """MiB of its JavaScript."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    return float(used["usedSize"]) / 1048576


async def test_a_thousand_sessions_stay_usable(gateway: Gateway, open_page: OpenPage) -> None:
    began = time.perf_counter()
    page = await open_page(gateway.url, "#/sessions")
    await page.locator(ROWS).first.wait_for()
    first = time.perf_counter() - began
    await page.get_by_text(f"{SESSIONS:,} sessions").wait_for()
    whole = time.perf_counter() - began
    assert await page.locator("[role=table]").get_attribute("aria-rowcount") == str(SESSIONS + 1)

    async def nodes() -> int:
        count: int = await page.evaluate("document.querySelectorAll('*').length")
        return count

    before = await nodes()
    scroller = page.locator(".scroller")
    frames = await page.evaluate(
        """async () => {
          const scroller = document.querySelector(".scroller"), took = [];
          let last = performance.now();
          for (let step = 0; step < 60; step++) {
            scroller.scrollTop = (scroller.scrollHeight - scroller.clientHeight) * (step / 59);
            await new Promise(requestAnimationFrame);
            took.push(performance.now() - last);
            last = performance.now();
          }
          return took.sort((a, b) => a - b);
        }"""
    )
    await page.locator(f'{ROWS}[aria-rowindex="{SESSIONS + 1}"]').wait_for()
    assert await page.locator(ROWS).count() < 80, "rows out of sight are not in the document"
    assert await nodes() < before + 1000
    assert await scroller.evaluate("element => element.scrollTop") > 20_000
    used = await heap(page)
    log.info(
        "%d sessions: first rows after %.2f s, all after %.2f s, a frame while scrolling %.0f ms (longest %.0f ms), "
        "%.1f MiB of JavaScript, %d elements",
        *(SESSIONS, first, whole, frames[30], frames[-1], used, await nodes()),
    )


async def test_words_find_one_among_a_thousand(gateway: Gateway, open_page: OpenPage) -> None:
    page = await open_page(gateway.url, "#/sessions")
    await page.get_by_text(f"{SESSIONS:,} sessions").wait_for()
    await page.locator(".scroller").evaluate("element => element.scrollTop = element.scrollHeight / 2")
    name = await page.locator(f"{ROWS} a").last.get_attribute("href") or ""
    wanted = name.split("/")[2].split("?")[0]
    await page.get_by_role("searchbox").fill(wanted)
    await page.get_by_text(f"1 of {SESSIONS:,} sessions").wait_for()
    assert f"q={wanted}" in page.url
    await page.get_by_role("searchbox").fill("no session is called so")
    await page.get_by_text(f"0 of {SESSIONS:,} sessions").wait_for()
