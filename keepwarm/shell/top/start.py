"""`keepwarm top` begins here: a program where there is a terminal for one, else one plain page."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.shell.top.feed import GatewayFeed, LedgerFeed
from keepwarm.views.top.frame import frame
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.picture import WHOLE, Asked, Picture, gather

_HEIGHT = 40
"""Lines of the plain page."""


def run_top(ledger: Path, gateway: str, key: str, console: Console, once: bool = False) -> None:
    """Shows what happens until it is ended; one page with `once`, and where the terminal cannot do more.

    ledger   the file that is shown
    gateway  the address of the gateway that is asked for what runs
    key      what the gateway wants to be shown; "" for none
    """
    feed = GatewayFeed(gateway, key)
    if once or not console.is_terminal or not sys.stdin.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        print_once(ledger, feed, console)
        if not once and console.is_terminal:
            console.print(
                "\nThis terminal shows one page only (TERM=dumb): keepwarm log --follow goes on as requests come"
            )
        return
    # Imported here: the other commands, and a plain page, do without it.
    from keepwarm.shell.top.app import Top

    Top(LedgerFeed(ledger), feed, ascii_only=console.options.ascii_only).run()


def print_once(ledger: Path, feed: GatewayFeed, console: Console, now: float | None = None) -> None:
    """One page, without a cursor; `now` in Unix seconds, the clock when None."""
    now = time.time() if now is None else now
    try:
        with Query(ledger) as query:
            picture = gather(query, Asked(), now)
    except LedgerError as error:
        picture = Picture(now, WHOLE, trouble=str(error))
    said = asyncio.run(feed.once())
    alerts = tuple(reversed(said.live.alerts)) if said.live is not None else ()
    paper = Paper(console.width, console.options.ascii_only)
    for line in frame(picture, said, alerts, paper, _HEIGHT, str(ledger)):
        console.print(line, no_wrap=True, crop=False, overflow="ignore", highlight=False)
