"""`keepwarm top` over a made-up day, with a gateway that says what it is told to; what it shows as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from keepwarm.shell.top.app import Top
from keepwarm.shell.top.feed import GatewayFeed, LedgerFeed
from keepwarm.views.answers import (
    GatewayFacts,
    LedgerFacts,
    Live,
    ProgressFacts,
    Running,
    SlotFacts,
    UpstreamFacts,
)
from keepwarm.views.top.head import Gateway
from tests.views.day import CLAUDE, NOON, OTHER

URL = "http://127.0.0.1:8787"
LIVE = Live(
    GatewayFacts("0.1.0", URL, NOON - 9_000),
    UpstreamFacts("http://127.0.0.1:8080", "llamacpp", 4, 65_536, "qwen3-coder", "b9000"),
    (
        SlotFacts(0, CLAUDE, "aa01", "main", 27_012, True),
        SlotFacts(1, CLAUDE, "aa02", "subagent", 12_245, False),
        SlotFacts(2, OTHER, "bb01", "main", 23_809, False),
        SlotFacts(3, "", "", "", None, False),
    ),
    (
        Running(
            "a7f00c11", CLAUDE, "aa01", "main", "claude-cli/2.1.114", "qwen3-coder", NOON - 2.0, "prefill", 0,
            ProgressFacts(17_200, 40_931, 12_000, 3_100.0),
        ),
    ),
    (),
    0.745,
    LedgerFacts("", 0, ""),
)  # fmt: skip


class Told(GatewayFeed):
    """A gateway that says one thing after the other."""

    def __init__(self, *said: Gateway) -> None:
        super().__init__(URL)
        self._queue: asyncio.Queue[Gateway] = asyncio.Queue()
        for one in said:
            self._queue.put_nowait(one)

    def tell(self, said: Gateway) -> None:
        """Something more."""
        self._queue.put_nowait(said)

    async def follow(self) -> AsyncGenerator[Gateway, None]:
        """What it has been told."""
        while True:
            yield await self._queue.get()


def program(path: Path, gateway: GatewayFeed | None = None, *, ascii_only: bool = False) -> Top:
    """`keepwarm top` at noon."""
    return Top(LedgerFeed(path, lambda: NOON + 1.1), gateway or Told(Gateway(URL, LIVE)), ascii_only=ascii_only)


def seen(app: App[Any]) -> str:
    """What is on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


async def until(pilot: Pilot[None], condition: Callable[[str], bool]) -> str:
    """What is on the screen as soon as `condition` holds of it."""
    async with asyncio.timeout(30):
        while not condition(seen(pilot.app)):
            await pilot.pause(0.02)
    await pilot.pause()  # what was made in the meantime is laid out
    return seen(pilot.app)
