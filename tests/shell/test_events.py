"""What happens, as it happens, to whoever listens; the traffic waits for none of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from keepwarm.ledger.sums import Sums
from keepwarm.shell import events
from keepwarm.shell.app import Gateway
from keepwarm.shell.events import Events
from keepwarm.shell.watch import Batch
from keepwarm.testing.answers import Answer
from keepwarm.views.alerts import News, State, alerts
from tests.ledger.samples import a_record
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import COUNTS, SHAPE, Seen, begin, message_body, say


class Told:
    """What a listener is told."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.last = ""

    async def next(self, *names: str) -> Any:
        """The data of the next event with one of these names."""
        name = ""
        async with asyncio.timeout(30):
            async for line in self._answer.content:
                field, _, value = line.decode().strip().partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.last = value
                elif field == "data" and name in names:
                    return json.loads(value)
        raise AssertionError("the events are over")


@asynccontextmanager
async def listening(http: aiohttp.ClientSession, gateway: Gateway, last: str = "") -> AsyncIterator[Told]:
    headers = {"Last-Event-ID": last} if last else {}
    async with http.get(gateway.url + "/api/events", headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Told(answer)


async def stream(http: aiohttp.ClientSession, url: str) -> None:
    headers = {"x-claude-code-session-id": "s1"}
    async with http.post(url + "/v1/messages", data=message_body(stream=True), headers=headers) as answer:
        assert answer.status == 200
        await answer.read()


async def test_a_request_is_told_of_while_it_runs_and_when_it_is_over(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    go = asyncio.Event()

    async def slowly(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = await begin(request)
        await response.write(SHAPE.role() + next(SHAPE.deltas(Answer("Begun."), ())))
        await go.wait()
        await response.write(SHAPE.ending(Answer("Begun."), COUNTS, with_usage=True))
        return response

    gateway = await open_gateway((await open_stub(slowly, slots=2)).url)
    async with listening(http, gateway) as told:
        assert (await told.next("live"))["running"] == []
        asking = asyncio.create_task(stream(http, gateway.url))
        running = (await told.next("live"))["running"]
        while not running or running[0]["phase"] != "generating":
            async with http.get(gateway.url + "/api/live") as answer:
                running = (await answer.json())["running"]
        assert (running[0]["session"], running[0]["slot"]) == ("s1", 0)
        go.set()
        await asking
        record = await told.next("record")
        assert (record["id"], told.last) == (running[0]["call"], record["id"])
        assert (await told.next("live"))["running"] == []


async def test_prefill_is_told_of(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.exchange.relay.TELL_MS", 0.0)

    async def slow(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await say(request, seen, Answer("Hello."), progress=True)

    gateway = await open_gateway((await open_stub(slow)).url)
    async with listening(http, gateway) as told:
        await stream(http, gateway.url)
        said = await told.next("progress")
    assert said["progress"] == {"processed": 36, "total": 42, "cached": 30, "ms": 1.0}


async def test_while_a_prompt_is_processed_it_is_told_how_far_it_has_come(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the lines of the log, of which there are few."""
    monkeypatch.setattr("keepwarm.shell.desk.LIVE_SECONDS", 0.01)
    steps = {done: asyncio.Event() for done in (10, 30)}

    async def slowly(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = await begin(request)
        for done, go in steps.items():
            await response.write(SHAPE.progress({"total": 42, "cache": 5, "processed": done, "time_ms": 1}))
            await go.wait()
        await response.write(SHAPE.ending(Answer("Done."), COUNTS, with_usage=True))
        return response

    gateway = await open_gateway((await open_stub(slowly)).url)
    async with listening(http, gateway) as told:
        asking = asyncio.create_task(stream(http, gateway.url))
        for done, go in steps.items():
            running: list[Any] = []
            while not running or (running[0]["progress"] or {}).get("processed") != done:
                running = (await told.next("live"))["running"]
            assert (running[0]["phase"], running[0]["progress"]["total"]) == ("prefill", 42)
            go.set()
        await asking


async def test_who_comes_back_is_told_what_it_missed(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    records = Records(gateway)
    for _ in range(3):
        await post(http, gateway.url, message_body())
    await records.until(3)
    assert gateway.ledger is not None
    assert gateway.ledger.flush()
    async with listening(http, gateway, last=records[0].id) as told:
        assert [(await told.next("record"))["id"] for _ in range(2)] == [record.id for record in records[1:]]
    async with listening(http, gateway, last="never-there") as told:
        assert await told.next("live", "record")


async def test_something_is_said_where_nothing_happens(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "COMMENT_SECONDS", 0.02)
    gateway = await open_gateway((await open_stub()).url)
    async with http.get(gateway.url + "/api/events") as answer, asyncio.timeout(30):
        while not (await answer.content.readline()).startswith(b": "):
            pass


async def test_a_listener_that_reads_too_slowly_is_let_go(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "WAITING", 3)
    gateway = await open_gateway((await open_stub()).url)
    hub: Events = gateway.desk.events
    async with listening(http, gateway) as told:
        await told.next("live")
        hub.take(Batch(records=[a_record(id=f"r{number}") for number in range(9)]))
        with pytest.raises(AssertionError, match="over"):
            await told.next("none such")
        assert not len(hub)
    status, _ = await post(http, gateway.url, message_body())
    assert status == 200


async def test_there_is_a_bound_to_listeners(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LISTENERS", 1)
    gateway = await open_gateway((await open_stub()).url)
    async with listening(http, gateway) as told:
        await told.next("live")
        async with http.get(gateway.url + "/api/events") as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["remedy"]


async def test_amended_verdicts_and_alerts_are_told(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    falling = News(a_record(), Sums(requests=9, cached_tokens=1, processed_tokens=99, lost_tokens=5))
    _, (alert,) = alerts([falling], State())
    async with listening(http, gateway) as told:
        await told.next("live")
        gateway.amend(a_record(id="r1"))
        assert (await told.next("amended"))["id"] == "r1"
        gateway.desk.events.alert(alert)
        assert (await told.next("alert"))["level"] == 0.4


async def test_listeners_do_not_keep_a_gateway_from_stopping(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    async with listening(http, gateway) as told:
        await told.next("live")
        async with asyncio.timeout(10):
            await gateway.stop()
