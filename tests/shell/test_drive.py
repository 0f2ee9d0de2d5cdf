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
from keepwarm.shell import drive
from keepwarm.shell.client import Upstream
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import error_body, event
from keepwarm.upstream.api import Outgoing
from tests.shell.asking import all_events, events, kinds, text_of
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import SHAPE, Held, Respond, Seen, begin, hang_up, hello, message_body, refuse

WHOLE = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"]
WHOLE.append("message_stop")


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


async def test_the_first_bytes_of_an_answer_go_before_the_rest_is_read(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    gone: list[bytes] = []
    write, say = drive._Answer.write, Passage._say
    at_each: list[int] = []

    async def written(self: drive._Answer, data: bytes) -> None:
        gone.append(bytes(data))
        await write(self, data)

    def said(self: Passage, events: list[Any]) -> Generator[Any, Any, None]:
        at_each.append(len(gone))
        yield from say(self, events)

    monkeypatch.setattr(drive._Answer, "write", written)
    monkeypatch.setattr(Passage, "_say", said)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        assert kinds(await all_events(answer)) == WHOLE
    assert gone[0].startswith(b"event: message_start")
    assert b"Hello" not in gone[0]
    assert at_each[:2] == [0, 1]  # nothing had gone when the first event was read, and it had when the next ones were


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
    await gateway.keeper({})

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
