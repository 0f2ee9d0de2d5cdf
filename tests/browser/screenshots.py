"""Pictures of the dashboard for the README: python -m tests.browser.screenshots docs/screenshots

A real gateway over a made ledger, with a stub behind it that is in the middle of a prefill. All names are made up.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import aiohttp
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.shell.app import start_gateway
from keepwarm.testing.browser import ARGUMENTS, find_chromium
from tests.browser import made_ledger
from tests.shell import stub

SESSIONS = 60
PORT = 8080
"""Where llama.cpp listens by itself."""
SIZE = {"width": 1280, "height": 800}
PREFILL = {"total": 54_880, "cache": 18_204, "processed": 41_216, "time_ms": 21_300}
CLAUDE = {"user-agent": "claude-cli/2.1.114 (external, cli)"}


async def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    found = find_chromium()
    with tempfile.TemporaryDirectory() as temporary:
        ledger = Path(temporary) / "ledger.sqlite"
        made_ledger.write(ledger, SESSIONS, now=time.time() - 8)
        with Query(ledger) as query:
            session = query.sessions(limit=1).sessions[0].name
            records = query.page(limit=200, session=session).records
        broken = next(one for one in records if one.verdict and "VOL004" in one.verdict.causes)
        server = stub.Stub(_respond, slots=4)
        assert server.props is not None
        server.props |= {"default_generation_settings": {"n_ctx": 65_536}, "model_alias": "heron-coder-32b"}
        async with stub.running(server, PORT), async_playwright() as playwright:
            config = override(Config(), upstream__url=server.url, port=0, ledger__path=str(ledger))
            gateway = await start_gateway(config)
            browser = await playwright.chromium.launch(
                executable_path=found.program, args=list(ARGUMENTS), env=found.environment()
            )
            asking = asyncio.create_task(_ask(gateway.url, session))
            await asyncio.sleep(2)
            places = {
                "live-light": ("light", "#/live"),
                "live-dark": ("dark", "#/live"),
                "session-light": ("light", f"#/session/{session}"),
                "session-dark": ("dark", f"#/session/{session}"),
                "verdict-light": ("light", f"#/session/{session}?at={broken.id}"),
                "verdict-dark": ("dark", f"#/session/{session}?at={broken.id}"),
                "trends-light": ("light", "#/trends?time=6h"),
            }
            try:
                for name, (scheme, where) in places.items():
                    page = await _open(browser, f"{gateway.url}/ui{where}", scheme)
                    await page.screenshot(path=folder / f"{name}.png")
                    await page.context.close()
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                await browser.close()
                await gateway.stop()


async def _respond(request: web.Request, _seen: stub.Seen) -> web.StreamResponse:
    """A prefill that does not end."""
    response = await stub.begin(request)
    for _ in range(200):
        await response.write(stub.SHAPE.progress(PREFILL))
        await asyncio.sleep(0.5)
    return response


async def _ask(url: str, session: str) -> None:
    """A request of the session, which is under way until it is taken back."""
    headers = {**CLAUDE, "x-claude-code-session-id": session, "x-api-key": "dummy"}
    tools = [{"name": "Count", "description": "Counts.", "input_schema": {"type": "object"}}]
    body = stub.message_body("Count the nests.", stream=True, model="heron-coder-32b", tools=tools)
    async with aiohttp.ClientSession() as http, http.post(f"{url}/v1/messages", data=body, headers=headers) as answer:
        await answer.read()


async def _open(browser: Browser, url: str, scheme: str) -> Page:
    chosen: Literal["dark", "light"] = "dark" if scheme == "dark" else "light"
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=chosen, locale="en-US")
    page = await context.new_page()
    await page.goto(url)
    await page.locator('#wire[data-state="live"]').wait_for()
    await page.locator("main :is(.row a, .chart canvas)").first.wait_for()
    if "at=" in url:
        await page.locator(".v-stack .tower").wait_for()
    await page.wait_for_timeout(800)
    return page


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
