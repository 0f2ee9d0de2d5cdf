"""The gateway's front door: limits, keys, refusals, and the routes."""

from __future__ import annotations

import aiohttp
import pytest

from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import message_body


async def test_a_message_is_answered(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    async with http.post(gateway.url + "/v1/messages", data=message_body()) as answer:
        said = await answer.json()
        assert answer.status == 200
    assert said["content"] == [{"type": "text", "text": "Hello there."}]
    assert said["usage"]["cache_read_input_tokens"] == 30
    assert said["usage"]["input_tokens"] == 12


@pytest.mark.parametrize("over", [0, 1])
async def test_a_body_is_limited_to_the_byte(
    over: int, open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    stub = await open_stub()
    limit = 2 * 1024 * 1024
    gateway = await open_gateway(stub.url, max_body=limit)
    body = message_body()
    body += b" " * (limit + over - len(body))
    async with http.post(gateway.url + "/v1/messages", data=body) as answer:
        said = await answer.json()
        assert answer.status == (413 if over else 200)
    if over:
        assert said["type"] == "error"
        assert said["error"]["type"] == "request_too_large"
        assert "2 MiB" in said["error"]["message"]
    assert len(stub.seen) == 1 - over
