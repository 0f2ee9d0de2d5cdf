"""Whoever looks on sees the same, is told in time, and is never in a request's way."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from keepwarm.config import AlertSettings
from keepwarm.ledger.records import Verdict
from keepwarm.shell.app import Gateway
from keepwarm.testing.scripted import ScriptedServer
from tests.ledger.samples import a_record
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import message_body
from tests.shell.talk import SCRIPT, Talk, client_of
from tests.testing.conftest import EngineFor

LOST = Verdict("miss", "client", "counted", lost=900, causes=("VOL001",))


async def metrics(http: aiohttp.ClientSession, gateway: Gateway) -> str:
    async with http.get(gateway.url + "/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


async def test_metrics_know_a_request_as_soon_as_it_is_over(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    records = Records(gateway)
    await post(http, gateway.url, message_body())
    await records.until(1)
    assert 'keepwarm_prompt_tokens_reused_total{model="local"} 30.0' in await metrics(http, gateway)


async def test_a_counter_of_verdicts_waits_for_the_last_word_and_never_goes_down(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    asked = {"r1"}
    monkeypatch.setattr(gateway.inquiries, "has", asked.__contains__)
    gateway.write(a_record(id="r1", verdict=LOST))
    assert "keepwarm_lost_tokens_total{" not in await metrics(http, gateway)
    less = Verdict("partial", "client", "exact", lost=100, causes=("HIS005",))
    gateway.amend(a_record(id="r1", verdict=less))
    asked.clear()
    text = await metrics(http, gateway)
    assert 'keepwarm_lost_tokens_total{cause="HIS005"} 100.0' in text
    assert "VOL001" not in text
    assert 'keepwarm_verdicts_total{outcome="partial"} 1.0' in text


async def test_an_alert_is_listed_counted_and_told(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.shell.alarms.WRITTEN_SECONDS", 0.0)
    gateway = await open_gateway((await open_stub()).url)
    async with http.get(gateway.url + "/api/events") as events, asyncio.timeout(30):
        gateway.write(a_record(id="r1", verdict=LOST))
        while b"event: alert" not in (await events.content.readline()):
            pass
        assert b"VOL001" in await events.content.readline()
    async with http.get(gateway.url + "/api/live") as answer:
        (alert,) = (await answer.json())["alerts"]
    assert (alert["kind"], alert["cause"], alert["request"]) == ("cause", "VOL001", "r1")
    assert 'keepwarm_alerts_total{kind="cause"} 1.0' in await metrics(http, gateway)


async def test_a_webhook_that_never_answers_keeps_nobody_waiting(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.shell.alarms.WRITTEN_SECONDS", 0.0)
    reached = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    hook = AlertSettings(webhook=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    gateway = await open_gateway((await open_stub()).url, alerts=hook)
    gateway.write(a_record(id="r1", verdict=LOST))
    async with asyncio.timeout(20):
        await reached.wait()
        status, _ = await post(http, gateway.url, message_body())
        assert status == 200
        await gateway.stop()
    server.close()


async def test_while_a_request_is_written_down_it_is_only_noted(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url)
    figures = gateway.desk._metrics.registry
    labels = {"client": "claude-cli", "kind": "main", "ending": "done"}
    gateway.write(a_record())
    assert figures.get_sample_value("keepwarm_requests_total", labels) is None
    gateway.desk._watch.flush()
    assert figures.get_sample_value("keepwarm_requests_total", labels) == 1


async def test_what_is_shown_is_what_a_real_server_did(
    engine_for: EngineFor, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    """llama.cpp's own counts, from behind the gateway."""
    async with ScriptedServer(engine_for(slots=2).url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        records = Records(gateway)
        async with client_of(gateway) as client:
            talk = Talk(client, "a talk that is looked at")
            for _ in range(3):
                await talk.turn()
        await records.until(3)
        await gateway.inquiries.settled()
        assert gateway.ledger is not None
        assert gateway.ledger.flush()
        async with http.get(gateway.url + "/api/totals") as answer:
            totals = await answer.json()
        async with http.get(gateway.url + "/api/live") as answer:
            live = await answer.json()
        text = await metrics(http, gateway)
    seen = server.exchanges
    prompt, prefilled = sum(one.prompt_tokens for one in seen), sum(one.prefilled_tokens for one in seen)
    assert (totals["requests"], totals["prompt_tokens"]) == (3, prompt)
    assert (totals["processed_tokens"], totals["cached_tokens"]) == (prefilled, prompt - prefilled)
    assert totals["lost_tokens"] == 0
    assert f'keepwarm_prompt_tokens_processed_total{{model="{records[0].model}"}} {float(prefilled)}\n' in text
    (slot,) = [one for one in live["slots"] if one["session"]]
    assert (slot["slot"], slot["busy"]) == (seen[-1].slot, False)
    last = records[-1].usage
    assert last.prompt_tokens is not None
    assert slot["tokens"] == last.prompt_tokens + (last.output_tokens or 0)
    assert live["upstream"]["slots"] == 2
    assert live["upstream"]["context"] > 0


async def test_it_stops_twice_without_harm(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url)
    await gateway.stop()
    await gateway.stop()
