"""Alerts of a gateway: found beside the traffic, told to whoever listens, sent where the settings say.

A delivery is tried a few times and given up; alerts that come faster than they can be delivered are left out. Nothing
of this is ever in a request's way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from keepwarm.config import AlertSettings
from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.shell.reader import Reader
from keepwarm.shell.watch import Batch
from keepwarm.views.alerts import Alert, News, State, alerts

log = logging.getLogger("keepwarm")
WRITTEN_SECONDS: Final = 0.5
"""After this time a request is in the ledger."""
WAITING: Final = 32
"""Alerts that may wait for delivery."""
PAUSES: Final = (1.0, 5.0, 20.0)
"""Seconds before each further try."""
SECONDS: Final = 10.0
"""How long one try may take."""
_SCRIPT: Final = "on run words\ndisplay notification (item 1 of words) with title (item 2 of words)\nend run"


class Notice(msgspec.Struct, frozen=True):
    """What is posted to a webhook."""

    text: str
    """The words, under the name by which chat programs show it."""
    alert: Alert


class Alarms:
    """The alerts of one gateway.

    told         gets each alert
    undelivered  gets "webhook" or "desktop" for an alert that did not arrive
    """

    def __init__(
        self, settings: AlertSettings, reader: Reader, told: Callable[[Alert], None], undelivered: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._told = told
        self._undelivered = undelivered
        self._news: dict[str, Record] = {}
        self._state: State | None = None
        self._looking: asyncio.Task[None] | None = None
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(WAITING)
        self._delivery: asyncio.Task[None] | None = None
        self._complained: set[str] = set()

    async def start(self) -> None:
        """What has been seen before is no news."""
        with contextlib.suppress(LedgerError):
            self._state = await self._reader.ask(_known)

    def take(self, batch: Batch) -> None:
        """Look at what has happened, when it is in the ledger."""
        self._news |= {record.id: record for record in (*batch.records, *batch.amended)}
        if self._news and self._looking is None:
            self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Look for nothing more, deliver nothing more."""
        tasks = [task for task in (self._looking, self._delivery) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self) -> None:
        try:
            while self._news:
                await asyncio.sleep(WRITTEN_SECONDS)
                records, self._news = tuple(self._news.values()), {}
                self._state, found = await self._reader.ask(partial(_find, records, self._state or State()))
                for alert in found:
                    self._told(alert)
                    self._send(alert)
        except LedgerError as error:
            self._complain("alerts", f"no alerts are found: {error}")
        finally:
            self._looking = None

    def _send(self, alert: Alert) -> None:
        if not self._settings.webhook and not self._settings.desktop:
            return
        try:
            self._waiting.put_nowait(alert)
        except asyncio.QueueFull:
            self._undelivered("webhook" if self._settings.webhook else "desktop")
            return
        if self._delivery is None:
            self._delivery = asyncio.create_task(self._deliver())

    async def _deliver(self) -> None:
        try:
            while not self._waiting.empty():
                alert = self._waiting.get_nowait()
                if self._settings.desktop and not await notify(alert):
                    self._undelivered("desktop")
                    self._complain("desktop", "no desktop notice: notify-send (Linux) or osascript (macOS) is needed")
                if self._settings.webhook and not await post(self._settings.webhook, alert):
                    self._undelivered("webhook")
                    # The whole address often holds a secret.
                    host = urlsplit(self._settings.webhook).hostname
                    self._complain("webhook", f"the webhook at {host} takes no alerts: look at alerts.webhook")
        finally:
            self._delivery = None

    def _complain(self, what: str, words: str) -> None:
        """Once."""
        if what not in self._complained:
            self._complained.add(what)
            log.warning("%s", words)


async def post(url: str, alert: Alert, pauses: Sequence[float] = PAUSES) -> bool:
    """Whether a webhook has taken an alert; tried again where its server does not answer or fails."""
    body = msgspec.json.encode(Notice(alert.words, alert))
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for pause in (*pauses, None):
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError, ValueError):
                headers = {"Content-Type": "application/json"}
                async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                    if answer.status < 300:
                        return True
                    if answer.status < 500 and answer.status != 429:
                        return False  # it will not take it later either
            if pause is not None:
                await asyncio.sleep(pause)
    return False


async def notify(alert: Alert) -> bool:
    """Whether the desktop shows an alert."""
    title = "keepwarm"
    if sys.platform == "darwin":
        command = ["osascript", "-e", _SCRIPT, alert.words, title]
    else:
        command = ["notify-send", "--app-name", title, "--", title, alert.words]
    if shutil.which(command[0]) is None:
        return False
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    except OSError:
        return False
    try:
        async with asyncio.timeout(SECONDS):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        return False


def _known(query: Query) -> State:
    totals = query.totals()
    return State(causes=frozenset(code for code, _ in totals.lost_by_cause))


def _find(records: Sequence[Record], before: State, query: Query) -> tuple[State, tuple[Alert, ...]]:
    return alerts(_news(query, records), before)


def _news(query: Query, records: Sequence[Record]) -> list[News]:
    sums = {who: query.totals(session=who) for who in {record.session or record.lineage for record in records}}
    return [News(record, sums[record.session or record.lineage]) for record in records]
