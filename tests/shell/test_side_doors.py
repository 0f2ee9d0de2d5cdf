"""What agents ask besides answers."""

from __future__ import annotations

import json
import os
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from keepwarm import __version__
from keepwarm.ledger.records import Record
from keepwarm.upstream.api import Traits
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import Seen, message_body


async def get(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    """(status, parsed body) for a client of the Messages API."""
    async with http.get(url, headers={"anthropic-version": "2023-06-01"}) as answer:
        return answer.status, json.loads(await answer.read())


async def count(http: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, Any]:
    """(status, parsed body) of a count."""
    async with http.post(url + "/v1/messages/count_tokens", data=body) as answer:
        return answer.status, json.loads(await answer.read())


@pytest.mark.parametrize("path", ["/", "/api/hello"])
@pytest.mark.parametrize("there", [True, False])
async def test_start_up_probes_are_answered_with_or_without_a_server(
    path: str,
    there: bool,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
    free_port: int,
) -> None:
    gateway = await open_gateway((await open_stub()).url if there else f"http://127.0.0.1:{free_port}")
    async with http.head(gateway.url + path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    status, said = await get(http, gateway.url + path)
    assert (status, said["service"], said["version"]) == (200, "keepwarm", __version__)


async def test_health_is_the_servers(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    stub.props_status = 503
    gateway = await open_gateway(stub.url)
    who = {"service": "keepwarm", "version": __version__, "pid": os.getpid(), "upstream": stub.url}
    assert await get(http, gateway.url + "/health") == (503, {"status": "no model server", **who})
    stub.props_status = 200
    status, said = await get(http, gateway.url + "/health")
    about = {
        "kind": "llamacpp",
        "model": said["model"],
        "slots": said["slots"],
        "context": said["context"],
        "first_party": False,
    }
    assert (status, said) == (200, {"status": "ok", **who, **about})


async def test_models_are_in_the_protocols_shape(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url)
    row = {
        "type": "model",
        "id": "stub-model",
        "display_name": "stub-model",
        "created_at": "2023-11-14T22:13:20Z",
    }
    page = {"data": [row], "has_more": False, "first_id": "stub-model", "last_id": "stub-model"}
    assert await get(http, gateway.url + "/v1/models?limit=1000") == (200, page)
    assert await get(http, gateway.url + "/v1/models/stub-model") == (200, row)
    status, other = await get(http, gateway.url + "/v1/models/claude-sonnet-4-6")
    assert (status, other["id"]) == (200, "claude-sonnet-4-6")


async def test_models_of_a_server_that_names_none(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    stub.props = None
    gateway = await open_gateway(stub.url)
    empty = {"data": [], "has_more": False, "first_id": None, "last_id": None}
    assert await get(http, gateway.url + "/v1/models") == (200, empty)


async def test_a_count_is_made_of_the_bytes_where_the_server_cannot_count(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, upstream__kind="chat")
    status, said = await count(http, gateway.url, message_body("word " * 1000))
    assert status == 200
    assert 1000 < said["input_tokens"] < 2000


async def test_a_count_needs_no_max_tokens(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    # As Claude Code asks at its start; this server renders and counts nothing, so the bytes are counted.
    gateway = await open_gateway((await open_stub(slots=1)).url)
    body = b'{"model":"x","messages":[{"role":"user","content":"foo"}]}'
    assert await count(http, gateway.url, body) == (200, {"input_tokens": 16})


@pytest.mark.parametrize("kind", ["llamacpp", "chat"])
async def test_a_count_of_what_cannot_be_read_is_refused(
    kind: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, upstream__kind=kind)
    for body, words in ((b"{", "not valid JSON"), (message_body(messages=3), "messages: Input should be a valid list")):
        status, said = await count(http, gateway.url, body)
        assert (status, said["error"]["type"]) == (400, "invalid_request_error")
        assert words in said["error"]["message"]


async def test_counting_leaves_no_trace(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(slots=1)
    gateway = await open_gateway(stub.url)
    records: list[Record] = []
    gateway.watchers.append(records.append)
    header = "x-anthropic-billing-header: cc_version=2.1.114.c39; cch={};\nBe brief."
    for cch in ("aaaaa", "bbbbb"):
        assert (await count(http, gateway.url, message_body(system=header.format(cch))))[0] == 200
    async with http.post(gateway.url + "/v1/messages", data=message_body(system=header.format("ccccc"))) as answer:
        assert answer.status == 200
    assert [(record.turn, record.parent) for record in records] == [(1, "")]


# A server of the client's own protocol


async def anthropics(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Says back what it was asked."""
    said = {"path": seen.path, "body": seen.body.decode(), "beta": seen.headers.get("anthropic-beta")}
    return web.json_response(said, status=201, headers={"x-theirs": "kept"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/messages/count_tokens?beta=true", b'{ "as":"it is" }'),
        ("GET", "/v1/models?limit=3", b""),
        ("GET", "/v1/models/claude-sonnet-4-6", b""),
        ("POST", "/v1/messages/batches", b"{}"),
        ("DELETE", "/v1/files/file_1%2F2", b""),
    ],
)
async def test_what_keepwarm_does_not_serve_goes_to_a_server_of_the_protocol_as_it_is(
    method: str,
    path: str,
    body: bytes,
    open_stub: OpenStub,
    open_gateway: OpenGateway,
    http: aiohttp.ClientSession,
) -> None:
    stub = await open_stub(anthropics, path=path.split("?")[0].replace("%2F", "/"), method=method)
    stub.props = None
    gateway = await open_gateway(stub.url, upstream__kind="anthropic")
    headers = {"anthropic-beta": "one", "x-api-key": "mine"}
    url = URL(gateway.url + path, encoded=True)
    async with http.request(method, url, data=body or None, headers=headers) as answer:
        assert (answer.status, answer.headers["x-theirs"]) == (201, "kept")
        assert await answer.json() == {"path": path, "body": body.decode(), "beta": "one"}
    assert stub.seen[0].headers["x-api-key"] == "mine"


@pytest.mark.parametrize("rewrite", [None, False])
async def test_a_prompt_is_counted_as_it_would_go_upstream(
    rewrite: bool | None, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub(anthropics, path="/v1/messages/count_tokens")
    stub.props = None
    gateway = await open_gateway(stub.url, upstream__kind="anthropic", upstream__rewrite=rewrite)
    gateway.upstream._traits = Traits("anthropic", drops_thinking=True)
    body = message_body(system="x-anthropic-billing-header: cch=aaaaa;\nBe brief.")
    _, said = await count(http, gateway.url, body)
    if rewrite is False:
        assert said["body"].encode() == body
        return
    sent = json.loads(said["body"])
    assert sent["system"] == "Be brief."
    assert sent["chat_template_kwargs"] == {"preserve_thinking": True, "clear_thinking": False}


async def test_a_server_of_the_protocol_that_went_away_is_said(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, free_port: int
) -> None:
    gateway = await open_gateway(f"http://127.0.0.1:{free_port}", upstream__kind="anthropic")
    # It was there when it was asked what it is.
    gateway.upstream._traits = Traits("anthropic")
    status, said = await count(http, gateway.url, b"{}")
    assert (status, said["type"], said["error"]["type"]) == (502, "error", "api_error")
    assert "start it" in said["error"]["message"]
