"""The gateway's front door: limits, keys, what cannot be read, and a server that is not there."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from keepwarm.core.events import Progress
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.testing.answers import Answer
from tests.shell.asking import error_of, post
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import SHAPE, Seen, begin, message_body, refuse, say

MIB = 1024 * 1024


async def test_a_message_is_answered(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    status, said = await post(http, gateway.url, message_body())
    assert status == 200
    assert said["content"] == [{"type": "text", "text": "Hello there."}]
    assert said["usage"]["cache_read_input_tokens"] == 30
    assert said["usage"]["input_tokens"] == 12


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("over", [0, 1])
async def test_a_body_is_limited_to_the_byte(
    path: str, over: int, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url, max_body=2 * MIB)
    body = message_body().ljust(2 * MIB + over)
    async with http.post(gateway.url + path, data=body) as answer:
        said = json.loads(await answer.read())
        assert answer.status == (413 if over else 200)
    if over:
        kind, message = error_of(said)
        assert kind == "request_too_large"
        assert "2 MiB" in message
        assert stub.seen == []


async def test_a_body_of_64_mib_goes_through(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    body = message_body("x" * (64 * MIB - len(message_body(""))))
    assert len(body) == 64 * MIB
    assert (await post(http, gateway.url, body))[0] == 200
    assert stub.seen[0].json["messages"][0]["content"].count("x") > 63 * MIB


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b'{"model": "local", "messages": [', "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"a":' * 100_000, "nested"),
        (b"[]", "valid dictionary"),
        (message_body(messages="none"), "messages: Input should be a valid list"),
        (message_body(messages=[{"content": "hi"}]), "messages.0.role: Field required"),
        (message_body(messages=[{"role": "user", "content": 7}]), "messages.0.content"),
        (message_body(system=3), "system"),
        (message_body(tools="all"), "tools: Input should be a valid list"),
        (message_body(stream="yes"), "stream: Input should be a valid boolean"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_the_protocols_words(
    body: bytes, words: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    status, said = await post(http, gateway.url, body)
    kind, message = error_of(said)
    assert (status, kind) == (400, "invalid_request_error")
    assert words in message
    assert stub.seen == []
    assert (await post(http, gateway.url, message_body()))[0] == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/messages"), ("POST", "/v1/embeddings"), ("PUT", "/x/y")])
async def test_a_path_that_is_not_served_is_named(
    method: str, path: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    async with http.request(method, gateway.url + path, headers={"anthropic-version": "2023-06-01"}) as answer:
        kind, message = error_of(json.loads(await answer.read()))
        assert answer.status == 404
    assert kind == "not_found_error"
    assert f"{method} {path}" in message


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_is_not_there_is_said_with_what_to_do(
    stream: bool, free_port: int, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(f"http://127.0.0.1:{free_port}")
    status, said = await post(http, gateway.url, message_body(stream=stream))
    kind, message = error_of(said)
    assert (status, kind) == (502, "api_error")
    assert f"http://127.0.0.1:{free_port}" in message
    assert "start it, or name another with --upstream" in message


async def test_a_server_that_still_loads_its_model_is_asked_again(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(slots=2)
    stub.props_status = 503
    gateway = await open_gateway(stub.url)
    status, said = await post(http, gateway.url, message_body())
    assert (status, error_of(said)[0]) == (502, "api_error")
    stub.props_status = 200
    assert (await post(http, gateway.url, message_body()))[0] == 200
    assert stub.seen[0].json["id_slot"] in (0, 1)


async def test_a_server_of_the_clients_protocol_gets_its_bytes_and_headers(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    async def echo(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({"type": "message", "content": []}, headers={"x-theirs": "kept"})

    stub = await open_stub(echo, path="/v1/messages")
    stub.props = None
    gateway = await open_gateway(stub.url, upstream__kind="anthropic")
    body = b'{ "model":"x",  "max_tokens": 100, "messages":[{"content":"h\\u0065y","role":"user"}], "new": {} }'
    sent = [("x-api-key", "mine"), ("anthropic-beta", "one"), ("anthropic-beta", "two"), ("user-agent", "an agent/1.0")]
    async with http.post(gateway.url + "/v1/messages?beta=true", data=body, headers=sent) as answer:
        assert answer.headers["x-theirs"] == "kept"
        assert await answer.json() == {"type": "message", "content": []}
    (seen,) = stub.seen
    assert seen.body == body
    assert seen.path == "/v1/messages?beta=true"
    assert seen.headers["anthropic-beta"] == "one, two"
    assert (seen.headers["x-api-key"], seen.headers["user-agent"]) == ("mine", "an agent/1.0")


@pytest.mark.parametrize("rewrite", [None, True])
async def test_anthropic_itself_is_observed_and_rewritten_only_on_demand(
    rewrite: bool | None,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("keepwarm.shell.client._FIRST_PARTY", ("127.0.0.1",))
    stub = await open_stub(refuse(400, "No."), path="/v1/messages")
    stub.props = None
    gateway = await open_gateway(stub.url, upstream__rewrite=rewrite)
    records: list[Record] = []
    gateway.watchers.append(records.append)
    header = "x-anthropic-billing-header: cc_version=2.1.114.c39; cch=abcde;"
    body = message_body(system=[{"type": "text", "text": header}, {"type": "text", "text": "Be brief."}])
    async with http.post(gateway.url + "/v1/messages", data=body) as answer:
        assert answer.status == 400
    sent = stub.seen[-1]
    if rewrite:
        assert header.encode() not in sent.body
        assert sent.headers["x-keepwarm-client-cch"] == "abcde"
        assert [edit.code for edit in records[0].edits] == ["VOL001"]
    else:
        assert sent.body == body
        assert [name for name in sent.headers if name.startswith("x-keepwarm")] == []
        assert records[0].edits == ()
        assert [seen.path for seen in stub.seen + stub.beside] == ["/v1/messages"]


async def test_whoever_watches_cannot_break_a_request(
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def with_progress(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await say(request, seen, Answer("Hello."), progress=True)

    def breaks(*_: object) -> None:
        raise BrokenPipeError("nobody reads the terminal any more")

    monkeypatch.setattr("keepwarm.exchange.relay.TELL_MS", 0.0)
    stub = await open_stub(with_progress)
    gateway = await open_gateway(stub.url)
    seen: list[object] = []
    gateway.watchers += [breaks, seen.append]
    gateway.progress += [breaks, lambda call, progress: seen.append(progress)]
    with caplog.at_level(logging.ERROR, "keepwarm"):
        for _ in range(2):
            async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
                assert (await answer.read()).rstrip().endswith(b'{"type":"message_stop"}')
    assert [type(one) for one in seen] == [Progress, Record] * 2
    # Once for each who broke: they are not called again.
    assert len([one for one in caplog.records if "watches" in one.message]) == 2


async def test_64_requests_at_once_get_each_its_own_answer(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    together = asyncio.Event()

    async def echo(request: web.Request, seen: Seen) -> web.StreamResponse:
        if len(stub.seen) == 64:
            together.set()
        await together.wait()
        return await say(request, seen, Answer("You said " + seen.json["messages"][0]["content"]))

    stub = await open_stub(echo)
    gateway = await open_gateway(stub.url)
    async with asyncio.timeout(60):
        said = await asyncio.gather(*(post(http, gateway.url, message_body(f"number {n}")) for n in range(64)))
    assert [status for status, _ in said] == [200] * 64
    assert [one["content"][0]["text"] for _, one in said] == [f"You said number {n}" for n in range(64)]
    assert len({one["id"] for _, one in said}) == 64
    await gateway.stop()
    with Query(tmp_path / "ledger.sqlite") as query:
        assert {record.id for record in query.page(limit=100).records} == {one["id"][4:] for _, one in said}


async def test_each_request_is_one_record_also_those_that_fail(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    records: list[Record] = []
    gateway.watchers.append(records.append)
    await post(http, gateway.url, message_body())
    await post(http, gateway.url, b"{")
    assert [(record.status, record.ending) for record in records] == [(200, "done"), (400, "failed")]
    assert records[1].error.startswith("bad_request: The request body is not valid JSON")


async def test_what_does_not_end_in_time_is_broken_off_and_recorded(
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    cancelled = asyncio.Event()

    async def endless(request: web.Request, seen: Seen) -> web.StreamResponse:
        await (await begin(request)).write(SHAPE.role() + next(SHAPE.deltas(Answer("Begun."), ())))
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    monkeypatch.setattr("keepwarm.shell.app.DRAIN_SECONDS", 0.1)
    gateway = await open_gateway((await open_stub(endless)).url)
    records: list[Record] = []
    gateway.watchers.append(records.append)
    async with http.post(gateway.url + "/v1/messages", data=message_body(stream=True)) as answer:
        await answer.content.readany()
        await gateway.stop()
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
    async with asyncio.timeout(10):
        await cancelled.wait()
    assert [record.ending for record in records] == ["hung_up"]
    with Query(tmp_path / "ledger.sqlite") as query:
        assert query.page(limit=10).records == tuple(records)


async def test_it_can_be_stopped_twice(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url)
    await gateway.stop()
    await gateway.stop()
