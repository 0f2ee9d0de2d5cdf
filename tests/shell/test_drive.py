"""A life on real sockets: what the client hears while it waits, and what becomes of it when something breaks."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Generator
from time import perf_counter
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from keepwarm.exchange.relay import Passage
from keepwarm.ledger.records import Record
from keepwarm.shell.app import Gateway
from keepwarm.shell.client import Upstream
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import error_body, event
from keepwarm.upstream.api import Outgoing
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.sse import all_events, events, kinds, text_of
from tests.shell.stub import SHAPE, Respond, Seen, begin, hang_up, hello, message_body, refuse

WHOLE = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"]
WHOLE.append("message_stop")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of hundredths of a second instead of seconds."""
    monkeypatch.setattr("keepwarm.exchange.relay.PATIENCE_SECONDS", 0.02)
    monkeypatch.setattr("keepwarm.exchange.relay.PING_SECONDS", 0.02)
    monkeypatch.setattr("keepwarm.exchange.relay.WHOLE_AFTER_MS", 0.0)


class Records(list[Record]):
    """The records of a gateway, as they are written."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._came = asyncio.Event()
        gateway.watchers.append(self._take)

    def _take(self, record: Record) -> None:
        self.append(record)
        self._came.set()

    async def until(self, count: int) -> None:
        """Wait until there are so many."""
        async with asyncio.timeout(30):
            while len(self) < count:
                self._came.clear()
                await self._came.wait()


class Held:
    """A respond function that says nothing until it is told to, and tells when it was cancelled."""

    def __init__(self, *, begun: bool = False) -> None:
        self.go = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.cancelled_at = 0.0
        self._begun = begun

    async def __call__(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            if self._begun:
                await (await begin(request)).write(SHAPE.role() + next(SHAPE.deltas(Answer("Begun."), ())))
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled_at = perf_counter()
            self.cancelled.set()
            raise
        return await hello(request, seen)


# What the client hears while it waits


async def test_a_stream_is_begun_and_kept_alive_while_the_server_says_nothing(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    gateway = await open_gateway((await open_stub(held)).url)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["request-id"]
        said: list[dict[str, Any]] = []
        async for one in events(answer):
            said.append(one)
            if [one["type"] for one in said].count("ping") == 3:
                held.go.set()
        assert kinds(said) == WHOLE
        assert text_of(said) == "Hello there."


async def test_a_stream_is_kept_alive_in_the_middle_of_an_answer(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    go = asyncio.Event()

    async def pausing(request: web.Request, seen: Seen) -> web.StreamResponse:
        first, *rest = SHAPE.deltas(Answer("A sentence that takes more than one piece."), ())
        response = await begin(request)
        await response.write(SHAPE.role() + first)
        await go.wait()
        await response.write(b"".join(rest) + event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        return response

    gateway = await open_gateway((await open_stub(pausing)).url)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        said: list[dict[str, Any]] = []
        async for one in events(answer):
            said.append(one)
            if text_of(said) and one["type"] == "ping":
                go.set()
        assert text_of(said) == "A sentence that takes more than one piece."
        assert kinds(said) == WHOLE


async def test_an_answer_in_one_piece_is_kept_alive_with_white_space(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    gateway = await open_gateway((await open_stub(held)).url)
    async with http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        body = await answer.content.readexactly(3)
        assert body == b"   "
        held.go.set()
        body += await answer.read()
    assert json.loads(body)["content"] == [{"type": "text", "text": "Hello there."}]


# What the server refuses


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (429, "rate_limit_error", "7"),
        (500, "api_error", ""),
        (503, "overloaded_error", "2"),
        (529, "overloaded_error", "30"),
    ],
)
async def test_a_refusal_keeps_its_status_its_words_and_its_retry_after(
    status: int,
    kind: str,
    retry: str,
    stream: bool,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
) -> None:
    headers = {"retry-after": retry} if retry else {}
    gateway = await open_gateway((await open_stub(refuse(status, "The server's own words.", **headers))).url)
    records = Records(gateway)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=stream)) as answer:
        said = await answer.json()
        assert answer.status == status
        assert answer.headers.get("retry-after", "") == retry
    assert said["error"] == {"type": kind, "message": "The server's own words."}
    assert said["request_id"] == records[0].id
    assert (records[0].status, records[0].ending) == (status, "failed")


async def test_a_refusal_of_a_stream_that_had_begun_is_an_event(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    go = asyncio.Event()

    async def late(request: web.Request, seen: Seen) -> web.StreamResponse:
        await go.wait()
        return await refuse(500, "Out of memory.")(request, seen)

    gateway = await open_gateway((await open_stub(late)).url)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        assert answer.status == 200
        go.set()
        said = await all_events(answer)
    assert said[-1]["error"] == {"type": "api_error", "message": "Out of memory."}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_prompt_that_does_not_fit_is_said_so_that_the_agent_compacts(
    stream: bool, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    async def overflow(request: web.Request, seen: Seen) -> web.StreamResponse:
        words = "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it"
        error = error_body(400, words, "exceed_context_size_error")
        error["error"] |= {"n_prompt_tokens": 9000, "n_ctx": 8192}
        return web.json_response(error, status=400)

    gateway = await open_gateway((await open_stub(overflow)).url)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=stream)) as answer:
        assert answer.status == 400
        said = await answer.json()
    message = "prompt is too long: 9000 tokens > 8192 maximum"
    assert said["error"] == {"type": "invalid_request_error", "message": message}


# What breaks


async def broken_off(request: web.Request, seen: Seen) -> web.StreamResponse:
    """The connection dies in the middle."""
    response = await begin(request)
    await response.write(SHAPE.role() + next(SHAPE.deltas(Answer("Half a sentence and then"), ())))
    assert request.transport is not None
    request.transport.close()
    return response


async def fails_within(request: web.Request, seen: Seen) -> web.StreamResponse:
    """An error object in the middle."""
    response = await begin(request)
    await response.write(SHAPE.role() + next(SHAPE.deltas(Answer("Half a sentence and then"), ())))
    await response.write(event(error_body(500, "The engine has failed.", "server_error")))
    return response


@pytest.mark.parametrize(("respond", "words"), [(broken_off, "broke"), (fails_within, "The engine has failed.")])
async def test_an_answer_that_breaks_off_ends_in_an_error_event(
    respond: Respond, words: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(respond)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        said = await all_events(answer)
    assert kinds(said)[-1] == "error"
    assert words in said[-1]["error"]["message"]
    assert "message_stop" not in kinds(said)
    assert (records[0].status, records[0].ending) == (200, "failed")
    stub.respond = hello
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        assert kinds(await all_events(answer)) == WHOLE


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_never_answers_a_connection_is_said(
    stream: bool, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(hang_up)
    gateway = await open_gateway(stub.url)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=stream)) as answer:
        assert answer.status == 502
        assert "the connection to the model server broke" in (await answer.json())["error"]["message"]
    # Once more, since llama.cpp closes connections that it has promised to keep; not more often.
    assert len(stub.seen) == 2


@pytest.mark.parametrize("started", [False, True])
async def test_a_mistake_of_keepwarms_own_is_a_500_or_a_broken_stream_and_gives_the_slot_back(
    started: bool,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stub = await open_stub(slots=1)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)

    def mistaken(self: Passage, *_: object) -> Generator[Any, Any, None]:
        if started:
            yield from self._start(200, ())
            yield from self._send(b"data: {}\n\n")
        raise ZeroDivisionError("a mistake")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(Passage, "run", mistaken)
        if started:
            with pytest.raises(aiohttp.ClientError):
                async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
                    await answer.read()
        else:
            async with http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
                assert answer.status == 500
                assert (await answer.json())["error"]["type"] == "api_error"
    assert "a mistake" in caplog.text
    await records.until(1)
    assert (records[0].status, records[0].ending) == (500, "failed")
    assert records[0].seat is not None
    assert records[0].seat.slot == 0
    async with asyncio.timeout(10), http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
        assert answer.status == 200


async def test_what_goes_wrong_beside_a_life_reaches_it(
    hasty: None,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await open_gateway((await open_stub(slots=1)).url)
    records = Records(gateway)
    await gateway.keeper()

    async def mistaken(self: Upstream, request: Outgoing) -> None:
        raise ValueError("this cannot be sent")

    with monkeypatch.context() as patch:
        patch.setattr(Upstream, "begin", mistaken)
        async with asyncio.timeout(10), http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
            assert answer.status == 500
    assert [record.error.split(":")[0] for record in records] == ["internal"]
    async with asyncio.timeout(10), http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
        assert answer.status == 200


async def test_a_lifted_value_that_no_header_may_hold_stays_in_the_ledger(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    header = "x-anthropic-billing-header: cc_version=2.1.114.\0; cch=abcde;"
    body = message_body(system=[{"type": "text", "text": header}, {"type": "text", "text": "Be brief."}])
    async with http.post(gateway.url + "/v1/messages", data=body) as answer:
        assert answer.status == 200
    assert stub.seen[0].headers["x-keepwarm-client-cch"] == "abcde"
    assert "x-keepwarm-client-cc-version" not in stub.seen[0].headers
    assert dict(records[0].metadata) == {"cc_version": "2.1.114.\0", "cch": "abcde"}


# What the client breaks off


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_client_that_hangs_up_takes_its_request_along(
    begun: bool,
    stream: bool,
    hasty: None,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    record_property: Any,
) -> None:
    held = Held(begun=begun)
    stub = await open_stub(held, slots=1)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=stream)) as answer:
        await answer.content.readany()
        await stub.until(lambda: len(stub.seen) == 1)
        hung_up_at = perf_counter()
        answer.close()
        async with asyncio.timeout(1.0):
            await held.cancelled.wait()
    record_property("hang-up to upstream's end, ms", round((held.cancelled_at - hung_up_at) * 1000, 1))
    await records.until(1)
    assert records[0].ending == "hung_up"
    stub.respond = hello
    async with asyncio.timeout(10), http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
        assert answer.status == 200
    assert [record.ending for record in records] == ["hung_up", "done"]


# One request at a time in a slot


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
