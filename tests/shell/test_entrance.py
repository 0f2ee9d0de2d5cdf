"""Who may come in: keys, and where the gateway listens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from keepwarm.config import Config, override
from keepwarm.errors import ConfigError, LedgerError
from keepwarm.shell.app import start_gateway
from tests.shell.asking import error_of, post
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import message_body


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}])
async def test_whoever_shows_no_key_is_refused(
    headers: dict[str, str], open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url, key="the gateway's")
    for path in ("/v1/messages", "/v1/models", "/nowhere"):
        speaking = headers | {"anthropic-version": "2023-06-01"}
        async with http.post(gateway.url + path, data=message_body(), headers=speaking) as answer:
            kind, message = error_of(json.loads(await answer.read()))
            assert (answer.status, kind) == (401, "authentication_error")
            assert "key" in message
            assert "the gateway's" not in message
    assert stub.seen == []


async def test_a_key_that_is_no_text_is_refused(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url, key="k")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rsplit(":", 1)[1]))
    writer.write(b"GET /v1/models HTTP/1.1\r\nhost: here\r\nx-api-key: \xe4\xff\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()


@pytest.mark.parametrize("headers", [{"x-api-key": "the gateway's"}, {"authorization": "Bearer the gateway's"}])
@pytest.mark.parametrize("own", ["", "the server's"])
async def test_the_gateways_key_stays_here(
    headers: dict[str, str], own: str, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url, key="the gateway's", upstream__key=own)
    assert (await post(http, gateway.url, message_body(), **headers))[0] == 200
    assert "x-api-key" not in stub.seen[0].headers
    assert stub.seen[0].headers.get("authorization", "") == (f"Bearer {own}" if own else "")


async def test_without_a_key_the_clients_own_goes_on(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    await post(http, gateway.url, message_body(), **{"x-api-key": "mine"})
    assert stub.seen[0].headers["authorization"] == "Bearer mine"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
async def test_a_host_that_others_can_reach_needs_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="set a key that clients must show"):
        await start_gateway(override(Config(), upstream__url="http://127.0.0.1:1", host=host, port=0))


async def test_with_a_key_it_listens_for_others(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway((await open_stub()).url, host="0.0.0.0", key="k")
    port = gateway.url.rsplit(":", 1)[1]
    assert (await post(http, f"http://127.0.0.1:{port}", message_body(), **{"x-api-key": "k"}))[0] == 200


async def test_a_port_that_is_taken_is_said(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    stub = await open_stub()
    port = int(stub.url.rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match=rf"port {port} on 127\.0\.0\.1 is taken: .*--port"):
        await start_gateway(override(Config(), upstream__url=stub.url, port=port, ledger__off=True))


async def test_a_host_that_is_not_this_machines_is_said_as_that(open_stub: OpenStub) -> None:
    stub = await open_stub()
    # 192.0.2.0/24 is for documentation: no machine has such an address.
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.7.*--host"):
        await start_gateway(override(Config(), upstream__url=stub.url, host="192.0.2.7", key="k", ledger__off=True))


async def test_a_ledger_that_cannot_be_made_is_said(open_stub: OpenStub, tmp_path: Path) -> None:
    stub = await open_stub()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match="file"):
        await start_gateway(
            override(Config(), upstream__url=stub.url, port=0, ledger__path=str(tmp_path / "file" / "ledger.sqlite"))
        )
