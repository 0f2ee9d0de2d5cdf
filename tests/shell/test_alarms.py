"""Alerts are found beside the traffic and sent where the settings say, a few times at the most."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from keepwarm.config import AlertSettings, Config, check, override
from keepwarm.core.events import Usage
from keepwarm.errors import ConfigError
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.store import Ledger
from keepwarm.ledger.sums import Sums
from keepwarm.shell import alarms
from keepwarm.shell.alarms import Alarms, notify, post
from keepwarm.shell.reader import Reader
from keepwarm.shell.watch import Batch
from keepwarm.views.alerts import ENOUGH, Alert, News, State, alerts
from tests.ledger.samples import a_record

LOST = Verdict("miss", "client", "counted", lost=900, causes=("VOL001",))
NEW = Verdict("miss", "client", "counted", lost=9, causes=("HIS005",))


def an_alert(request: str = "r1") -> Alert:
    falling = News(a_record(id=request), Sums(requests=9, cached_tokens=1, processed_tokens=99, lost_tokens=5))
    return alerts([falling], State())[1][0]


class Hook:
    """A webhook that answers with each of `statuses`, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[Any] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})


@asynccontextmanager
async def hooked(*statuses: int) -> AsyncIterator[Hook]:
    hook = Hook(*statuses)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", hook.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=secret-token"
    try:
        yield hook
    finally:
        await runner.cleanup()


async def test_a_webhook_gets_the_alert_with_words_for_a_chat() -> None:
    async with hooked(200) as hook:
        assert await post(hook.url, an_alert())
    (said,) = hook.got
    assert "reuses 1.0% of its prompts" in said["text"]
    assert (said["alert"]["kind"], said["alert"]["level"], said["alert"]["request"]) == ("hit_rate", 0.4, "r1")


@pytest.mark.parametrize(
    ("statuses", "tries", "taken"),
    [((500, 200), 2, True), ((429, 503, 204), 3, True), ((500,), 4, False), ((404,), 1, False), ((302,), 1, False)],
)
async def test_it_is_tried_again_a_few_times(statuses: tuple[int, ...], tries: int, taken: bool) -> None:
    async with hooked(*statuses) as hook:
        assert await post(hook.url, an_alert(), (0.0, 0.0, 0.0)) is taken
    assert len(hook.got) == tries


async def test_nobody_answers(free_port: int) -> None:
    assert not await post(f"http://127.0.0.1:{free_port}/x", an_alert(), (0.0,))
    assert not await post("http://[broken", an_alert(), (0.0,))


@asynccontextmanager
async def alarmed(path: Path, settings: AlertSettings) -> AsyncIterator[tuple[Alarms, list[Alert], list[str]]]:
    told, missed = list[Alert](), list[str]()
    reader = Reader(path)
    found = Alarms(settings, reader, told.append, missed.append)
    await found.start()
    try:
        yield found, told, missed
    finally:
        await found.stop()
        await reader.close()


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(alarms, "WRITTEN_SECONDS", 0.0)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record(id="old", session="before", verdict=LOST))
    assert ledger.flush()
    return ledger


async def until(told: list[Any], count: int) -> None:
    async with asyncio.timeout(20):
        while len(told) < count:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.01)


def written(ledger: Ledger, *records: Record) -> Batch:
    """What is noted of requests, when they are in the ledger."""
    for record in records:
        ledger.put(record)
    assert ledger.flush()
    return Batch(records=list(records))


async def test_an_alert_rests_on_the_sums_of_the_ledger(ledger: Ledger) -> None:
    well = [a_record(id=f"r{number}") for number in range(6)]
    low = [
        a_record(id=f"low{number}", session="low", verdict=LOST, usage=Usage(1000, 100, 1)) for number in range(ENOUGH)
    ]
    async with hooked(200) as hook, alarmed(ledger.path, AlertSettings(webhook=hook.url)) as (found, told, missed):
        found.take(written(ledger, *well, *low[:-1]))
        found.take(written(ledger, low[-1]))
        await until(hook.got, 1)
    (alert,) = told
    assert (alert.kind, alert.session, alert.cause, alert.hit_rate) == ("hit_rate", "low", "VOL001", 0.1)
    assert [said["alert"]["request"] for said in hook.got] == [alert.request]
    assert not missed
    ledger.close()


async def test_a_cause_in_the_ledger_is_no_news(ledger: Ledger) -> None:
    async with alarmed(ledger.path, AlertSettings()) as (found, told, _):
        found.take(written(ledger, a_record(id="again", verdict=LOST), a_record(id="new", verdict=NEW)))
        await until(told, 1)
    assert [alert.cause for alert in told] == ["HIS005"]
    ledger.close()


async def test_what_is_not_delivered_is_counted_and_the_secret_is_not_said(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "keepwarm"):
        async with hooked(404) as hook, alarmed(ledger.path, AlertSettings(webhook=hook.url)) as (found, _, missed):
            found.take(written(ledger, a_record(id="new", verdict=NEW)))
            await until(missed, 1)
            await until(caplog.records, 1)
    assert missed == ["webhook"]
    assert "alerts.webhook" in caplog.text
    assert "secret-token" not in caplog.text
    ledger.close()


async def test_alerts_that_come_too_fast_are_left_out(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "WAITING", 2)
    async with hooked(500) as hook, alarmed(ledger.path, AlertSettings(webhook=hook.url)) as (found, _, missed):
        for number in range(9):
            found._send(an_alert(f"r{number}"))
        assert len(missed) == 7


async def test_a_desktop_notice_is_arguments_and_no_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert await notify(an_alert("$(touch made-it)"))
    said = (tmp_path / "said").read_text().splitlines()
    assert said[:4] == ["--app-name", "keepwarm", "--", "keepwarm"]
    assert "$(touch made-it)" in said[4]


async def test_a_desktop_without_notices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not await notify(an_alert())


def test_a_webhook_that_is_no_address_is_refused_without_saying_it() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.webhook is not an address") as caught:
        check(override(Config(), alerts__webhook="hooks.example/secret-token"))
    assert "secret-token" not in str(caught.value)


def test_a_notice_is_json() -> None:
    import msgspec

    assert json.loads(msgspec.json.encode(alarms.Notice("words", an_alert())))["text"] == "words"
