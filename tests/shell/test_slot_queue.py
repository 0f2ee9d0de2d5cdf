"""One request at a time in a slot: who waits for it, in which order, and who leaves the queue."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from tests.shell.asking import all_events, text_of
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import Held, Seen, hello, message_body


async def test_requests_for_one_slot_come_one_after_the_other_in_the_order_they_came(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    go = asyncio.Event()
    at_work: list[str] = []

    async def alone(request: web.Request, seen: Seen) -> web.StreamResponse:
        at_work.append(seen.json["messages"][0]["content"])
        await go.wait()
        assert len(at_work) == 1
        answered = await hello(request, seen)
        at_work.clear()
        return answered

    stub = await open_stub(alone, slots=1)
    gateway = await open_gateway(stub.url)
    names = [f"number {number}" for number in range(5)]
    # Headers come within moments also to who waits: one has come, and is waiting, before the next is sent.
    answers = [await http.post(gateway.url + "/v1/messages", data=message_body(name, stream=True)) for name in names]
    go.set()
    for answer in answers:
        assert text_of(await all_events(answer)) == "Hello there."
    assert [seen.json["messages"][0]["content"] for seen in stub.seen] == names


async def test_conversations_in_slots_of_their_own_do_not_wait(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    async def together(request: web.Request, seen: Seen) -> web.StreamResponse:
        await stub.until(lambda: len(stub.seen) == 2)
        return await hello(request, seen)

    stub = await open_stub(together, slots=2)
    gateway = await open_gateway(stub.url)

    async def ask(name: str) -> int:
        tools = [{"name": "Bash", "input_schema": {"type": "object"}}]
        body, headers = message_body(name, tools=tools), {"x-claude-code-session-id": name}
        async with http.post(gateway.url + "/v1/messages", data=body, headers=headers) as answer:
            return answer.status

    async with asyncio.timeout(20):
        assert list(await asyncio.gather(ask("one"), ask("two"))) == [200, 200]
    assert {seen.json["id_slot"] for seen in stub.seen} == {0, 1}


async def test_who_hangs_up_while_waiting_for_a_slot_leaves_the_queue(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    stub = await open_stub(held, slots=1)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    url = gateway.url + "/v1/messages"
    async with http.post(url, data=message_body("first", stream=True)) as first:
        # Its headers are out although the slot is not its own: it waits.
        async with http.post(url, data=message_body("second", stream=True)) as second:
            assert second.status == 200
            second.close()
        await records.until(1)
        assert (records[0].ending, records[0].sent_bytes) == ("hung_up", 0)
        async with http.post(url, data=message_body("third", stream=True)) as third:
            assert len(stub.seen) == 1
            held.go.set()
            for answer in (first, third):
                assert text_of(await all_events(answer)) == "Hello there."
    assert [seen.json["messages"][0]["content"] for seen in stub.seen] == ["first", "third"]
