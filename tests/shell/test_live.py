"""What happens at this moment, from what the gateway has in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from msgspec.structs import replace

from keepwarm.core.events import Progress, Usage
from keepwarm.ledger.records import Seat
from keepwarm.session.affinity import choose
from keepwarm.session.seat_table import Guest, SeatTable, leave, seats
from keepwarm.shell.live import Now, facts, waiting
from keepwarm.views.answers import ProgressFacts, Running
from tests.ledger.samples import a_record
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import Held, message_body

MANY = {"tools": [{"name": "Bash", "input_schema": {"type": "object"}}]}


async def live(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url + "/api/live") as answer:
        return await answer.json()


async def test_requests_wait_for_a_slot_that_is_at_work(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    stub = await open_stub(held, slots=1)
    gateway = await open_gateway(stub.url)

    async def ask(session: str) -> None:
        headers = {"x-claude-code-session-id": session, "user-agent": "claude-cli/2.1.114"}
        async with http.post(
            gateway.url + "/v1/messages", data=message_body(session, **MANY), headers=headers
        ) as answer:
            assert answer.status == 200

    first = asyncio.create_task(ask("s1"))
    await stub.until(lambda: len(stub.seen) == 1)
    second = asyncio.create_task(ask("s2"))
    said = await live(http, gateway.url)
    while len(said["running"]) < 2 or said["running"][1]["phase"] != "waiting" or said["running"][1]["slot"] is None:
        said = await live(http, gateway.url)
    assert [(one["session"], one["phase"], one["kind"]) for one in said["running"]] == [
        ("s1", "prefill", "main"),
        ("s2", "waiting", "main"),
    ]
    assert said["running"][0]["client"] == "claude-cli/2.1.114"
    assert [(slot["slot"], slot["busy"]) for slot in said["slots"]] == [(0, True)]
    async with http.get(gateway.url + "/metrics") as answer:
        text = await answer.text()
    assert "keepwarm_requests_running 2.0\n" in text
    assert "keepwarm_requests_waiting 1.0\n" in text
    assert "keepwarm_slots_busy 1.0\n" in text
    held.go.set()
    await asyncio.gather(first, second)
    said = await live(http, gateway.url)
    assert said["running"] == []
    assert [(slot["session"], slot["busy"]) for slot in said["slots"]] == [("s2", False)]
    assert (said["upstream"]["kind"], said["upstream"]["slots"], said["upstream"]["model"]) == (
        "llamacpp",
        1,
        "stub-model",
    )
    assert said["gateway"]["url"] == gateway.url


async def test_a_client_that_hangs_up_runs_no_more(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    stub = await open_stub(held)
    gateway = await open_gateway(stub.url)
    asking = asyncio.create_task(http.post(gateway.url + "/v1/messages", data=message_body()))
    await stub.until(lambda: len(stub.seen) == 1)
    assert len((await live(http, gateway.url))["running"]) == 1
    asking.cancel()
    await held.cancelled.wait()
    assert (await live(http, gateway.url))["running"] == []


def test_slots_say_whose_they_are_and_how_full() -> None:
    now, table = Now(), seats(2)
    choice = choose(table, Guest("l1", "s1", "main"))
    now.record(a_record(seat=Seat(0, "its own"), usage=Usage(1000, 900, 40)))
    busy, empty = now.slots(choice.table)
    assert (busy.slot, busy.session, busy.lineage, busy.kind, busy.tokens, busy.busy) == (
        0,
        "s1",
        "l1",
        "main",
        1040,
        True,
    )
    assert (empty.session, empty.lineage, empty.tokens, empty.busy) == ("", "", None, False)
    assert not now.slots(leave(choice.table, 0))[0].busy
    assert now.slots(SeatTable()) == ()


def test_the_hit_rate_is_of_all_requests_since_the_gateway_started() -> None:
    now = Now()
    assert now.hit_rate is None
    now.record(a_record(usage=Usage(1000, 900)))
    now.record(a_record(usage=Usage(1000)))
    now.record(a_record(usage=Usage(1000, 0), seat=None))
    assert now.hit_rate == 900 / 2000


def test_progress_is_told_as_the_api_names_it() -> None:
    assert facts(Progress(9, 1, 5, 2.0)) == ProgressFacts(processed=5, total=9, cached=1, ms=2.0)
    assert facts(None) is None


def test_what_waits_is_counted() -> None:
    one = Running("r1", "", "", "", "", "", 0.0, "waiting", None, None)
    assert waiting([one, replace(one, phase="prefill"), one]) == 2
