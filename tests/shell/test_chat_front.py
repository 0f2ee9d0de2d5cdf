"""Chat completions over real sockets: exact bytes, hang-ups, doors, and what callers are told."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from keepwarm.testing.scripted import ScriptedServer
from tests.shell.chat_talk import ChatTalk, openai_of
from tests.shell.conftest import OpenGateway, OpenStub, Records
from tests.shell.stub import EVENT_STREAM, Held, Seen, refuse
from tests.shell.talk import SCRIPT
from tests.testing.conftest import EngineFor

PATH = "/v1/chat/completions"
BODY = b"""{"model":"local", "novel" : [1.0, {"b":2,"a":1}],
 "messages":[ {"role":"system","content":"Be brief \\u0041."},
  {"content":"hi", "role":"user"} ], "stream": %b}"""


async def echo(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Says back what it was asked."""
    told = {"path": seen.path, "body": seen.body.decode(), "key": seen.headers.get("authorization")}
    return web.json_response(told, status=201, headers={"x-theirs": "kept"})


async def odd_stream(request: web.Request, seen: Seen) -> web.StreamResponse:
    """A stream in a hand of its own: comments, CRLF, unknown members, usage where it was asked for."""
    response = web.StreamResponse(headers=EVENT_STREAM | {"x-theirs": "kept"})
    await response.prepare(request)
    for piece in ODD:
        await response.write(piece)
    if seen.json.get("stream_options"):
        await response.write(b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1,')
        await response.write(b'"prompt_tokens_details":{"cached_tokens":5}}}\r\n\r\n')
    await response.write(b"data: [DONE]\n\n")
    return response


ODD = (
    b": queue\n\n",
    b'data: {"choices":[{"index":0,"delta":{"content":"\\u0041"},"novel":1.0}],"usage":null}\r\n',
    b'\r\nevent: x\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
)


@pytest.mark.parametrize("kind", ["llamacpp", "chat", "anthropic"])
@pytest.mark.parametrize("stream", [b"true", b"false"])
async def test_bytes_are_the_clients_and_the_servers_own(
    kind: str, stream: bytes, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(odd_stream if stream == b"true" else echo)
    gateway = await open_gateway(stub.url, upstream__kind=kind)
    records = Records(gateway)
    body = BODY % stream
    headers = {"authorization": "Bearer mine", "x-novel": "on"}
    async with http.post(gateway.url + PATH, data=body, headers=headers) as answer:
        heard = await answer.read()
        assert answer.headers["x-theirs"] == "kept"
    sent = stub.seen[-1]
    assert sent.headers["x-novel"] == "on"
    added = sent.body.removeprefix(body[:-1])
    assert sent.body.startswith(body[:-1]), "all that the client said stands as it was"
    members = set(json.loads(b"{" + added.removeprefix(b","))) if added != b"}" else set()
    wanted = {"llamacpp": {"cache_prompt", "chat_template_kwargs"}}.get(
        kind, {"stream_options"} if stream == b"true" else set()
    )
    assert members == wanted
    await records.until(1)
    if stream == b"true":
        assert heard == b"".join(ODD) + b"data: [DONE]\n\n"
        asked = kind != "llamacpp"
        assert (records[0].usage.prompt_tokens, records[0].usage.cached_tokens) == ((7, 5) if asked else (None, None))
        assert records[0].ending == "done"
    else:
        assert answer.status == 201
        assert json.loads(heard) == {"path": PATH, "body": sent.body.decode(), "key": "Bearer mine"}


async def test_observed_the_very_bytes_leave(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(odd_stream, slots=2)
    gateway = await open_gateway(stub.url, upstream__rewrite=False)
    body = BODY.replace(b"Be brief", b"x-anthropic-billing-header: cc_version=2.1.114; cch=1;") % b"true"
    async with http.post(gateway.url + PATH + "?novel=1", data=body) as answer:
        heard = await answer.read()
    assert [(seen.path, seen.body) for seen in stub.seen] == [(f"{PATH}?novel=1", body)]
    assert heard == b"".join(ODD) + b"data: [DONE]\n\n"


async def test_a_client_that_hangs_up_takes_its_request_along(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held(begun=True)
    stub = await open_stub(held, slots=1)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    async with http.post(gateway.url + PATH, data=BODY % b"true") as answer:
        await answer.content.readuntil(b"Begun")
    async with asyncio.timeout(10):
        await held.cancelled.wait()
    await records.until(1)
    assert (records[0].ending, records[0].front) == ("hung_up", "chat")


async def test_the_engine_stops_for_a_client_that_hangs_up(engine_for: EngineFor, open_gateway: OpenGateway) -> None:
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        async with openai_of(gateway, timeout=0.05) as client:
            long = {"role": "user", "content": "word " * 20_000}
            with pytest.raises(Exception, match="timed out"):
                await client.chat.completions.create(model="m", messages=[long])  # type: ignore[list-item]
        async with asyncio.timeout(30):
            await server.until(lambda: bool(server.exchanges))
    assert server.exchanges[0].cancelled


async def test_a_long_prefill_is_spoken_for(
    hasty: None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    held = Held()
    gateway = await open_gateway((await open_stub(held)).url)
    for stream, sign in ((b"true", b": ping\n\n"), (b"false", b" ")):
        held.go.clear()
        async with http.post(gateway.url + PATH, data=BODY % stream) as answer:
            assert await answer.content.readexactly(2 * len(sign)) == 2 * sign
            held.go.set()
            rest = await answer.read()
        assert (b"[DONE]" in rest) if stream == b"true" else json.loads(rest)["object"] == "chat.completion"


async def test_two_agents_of_two_protocols_keep_their_conversations_warm_at_one_server(
    engine_for: EngineFor, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    message = {"model": "m", "max_tokens": 9, "system": "You are another. " * 50}
    async with ScriptedServer(engine_for().url, SCRIPT) as server:
        gateway = await open_gateway(server.url)
        said: list[Any] = [{"role": "user", "content": "hello"}]
        async with openai_of(gateway) as client:
            talk = ChatTalk(client, "beside")
            for _ in range(3):
                await talk.turn()
                async with http.post(gateway.url + "/v1/messages", json=message | {"messages": said}) as answer:
                    said += [{"role": "assistant", "content": (await answer.json())["content"]}]
                said += [{"role": "user", "content": "and?"}]
    for row in (server.exchanges[0::2], server.exchanges[1::2]):
        for before, exchange in pairwise(row):
            assert exchange.prefilled_tokens == exchange.prompt_tokens - before.held_tokens
    assert len({exchange.slot for exchange in server.exchanges}) == 2


# What callers are told


async def told(answer: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """(status, type, message) of an error in OpenAI's shape."""
    error = json.loads(await answer.read())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status, error["type"], error["message"]


async def test_a_messages_server_says_what_to_do(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(refuse(400, "No."), path="/v1/messages")
    stub.props = None
    gateway = await open_gateway(stub.url)
    async with http.post(gateway.url + PATH, data=BODY % b"true") as answer:
        status, kind, message = await told(answer)
    assert (status, kind) == (404, "invalid_request_error")
    assert "POST /v1/messages" in message
    assert "--upstream" in message
    asked = [seen.path for seen in stub.beside]
    assert asked == ["/props", PATH, "/metrics"], "it was asked what it is and what it takes, and nothing more"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/chat/completions", 404, "it serves POST /v1/messages and POST /v1/chat/completions"),
        ("POST", "/slots/0?action=erase", 404, "does not serve"),
    ],
)
async def test_what_is_not_served_is_said(
    method: str,
    path: str,
    status: int,
    words: str,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
) -> None:
    stub = await open_stub(slots=1)
    gateway = await open_gateway(stub.url)
    async with http.request(method, gateway.url + path) as answer:
        found, _, message = await told(answer)
    assert found == status
    assert words in message
    assert [seen.path for seen in stub.beside if seen.path != "/props"] == []


async def test_keys_and_limits_are_refused_in_the_callers_words(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, key="the gateway's", max_body=1024)
    async with http.post(gateway.url + PATH, data=BODY % b"true") as answer:
        assert (await told(answer))[:2] == (401, "invalid_request_error")
    headers = {"authorization": "Bearer the gateway's"}
    async with http.post(gateway.url + PATH, data=b"x" * 2000, headers=headers) as answer:
        assert (await told(answer))[:2] == (413, "invalid_request_error")
    async with http.post(gateway.url + PATH, data=BODY % b"false", headers=headers) as answer:
        assert answer.status == 200


async def test_a_server_that_is_not_there_is_said_with_what_to_do(
    free_port: int, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(f"http://127.0.0.1:{free_port}")
    records = Records(gateway)
    for path in (PATH, "/v1/embeddings"):
        async with http.post(gateway.url + path, data=BODY % b"true") as answer:
            status, kind, message = await told(answer)
        assert (status, kind) == (502, "server_error")
        assert "start it, or name another with --upstream" in message
    await records.until(1)
    assert [record.front for record in records] == ["chat"]


# Doors


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        *((kind, "POST", "/v1/embeddings") for kind in ("llamacpp", "chat", "anthropic")),
        ("chat", "POST", "/v1/completions?x=%2F"),
        ("llamacpp", "GET", "/v1/models"),
        ("chat", "GET", "/v1/models/a/b"),
    ],
)
async def test_other_paths_go_to_the_server_as_they_are(
    kind: str, method: str, path: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(echo, path=path.split("?")[0], method=method)
    stub.paths = (*stub.paths, PATH)
    gateway = await open_gateway(stub.url, upstream__kind=kind)
    body = b'{ "as":"it is" }' if method == "POST" else None
    async with http.request(
        method, f"{gateway.url}{path}", data=body, headers={"authorization": "Bearer mine"}
    ) as answer:
        assert (answer.status, answer.headers["x-theirs"]) == (201, "kept")
        said = await answer.json()
    assert (said["body"], said["key"]) == ((body or b"").decode(), "Bearer mine")


async def test_models_are_in_the_callers_shape(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    for headers, shape in (
        ({}, "list"),
        ({"user-agent": "OpenAI/Python 3.54.0", "authorization": "Bearer x"}, "list"),
        ({"anthropic-version": "2023-06-01"}, None),
        ({"x-api-key": "x"}, None),
    ):
        async with http.get(gateway.url + "/v1/models", headers=headers) as answer:
            said = await answer.json()
        assert said.get("object") == shape
        assert said["data"][0]["id"].endswith("stub-model")
        assert ("has_more" in said) == (shape is None)


async def test_models_of_a_messages_server_are_told_to_clients_of_chat_completions(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    async def models(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({"data": [{"type": "model", "id": "claude-x", "created_at": "2026-01-01T00:00:00Z"}]})

    stub = await open_stub(models, path="/v1/models", method="GET")
    stub.props = None
    gateway = await open_gateway(stub.url, upstream__kind="anthropic")
    row = {"id": "claude-x", "object": "model", "created": 0, "owned_by": "keepwarm"}
    async with http.get(gateway.url + "/v1/models") as answer:
        assert await answer.json() == {"object": "list", "data": [row]}
    async with http.get(gateway.url + "/v1/models/claude-x") as answer:
        assert await answer.json() == row


async def test_a_person_with_a_browser_is_told_what_is_served(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    async with http.get(gateway.url + "/") as answer:
        said = await answer.json()
    assert (said["anthropic"], said["chat"]) == ("/v1/messages", PATH)
