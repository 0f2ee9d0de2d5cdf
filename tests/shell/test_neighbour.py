"""A gateway as another process sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from keepwarm.config import Config
from keepwarm.errors import AgentError
from keepwarm.shell.neighbour import Hold, Neighbour, address, find, free_port, is_nearby
from tests.shell.conftest import OpenGateway, OpenStub


async def test_what_a_gateway_says_of_itself(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    stub = await open_stub(slots=2)
    gateway = await open_gateway(stub.url)
    found = await asyncio.to_thread(find, gateway.url)
    assert found is not None
    assert (found.url, found.upstream, found.ready, found.kind) == (gateway.url, stub.url, True, "llamacpp")
    door = found.door("k", "")
    assert (door.url, door.model, door.key, door.local) == (gateway.url, found.model, "k", True)
    assert found.door("", "mine").model == "mine"


async def test_a_server_with_several_models_names_its_first(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url, upstream__kind="chat")
    found = await asyncio.to_thread(find, gateway.url)
    assert found is not None
    assert found.model


async def test_a_gateway_without_its_server_is_there_and_not_ready(free_port: int, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway(f"http://127.0.0.1:{free_port}")
    found = await asyncio.to_thread(find, gateway.url)
    assert found is not None
    assert not found.ready


async def test_what_wants_a_key_and_what_is_no_keepwarm(open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url, key="right")
    with pytest.raises(AgentError, match="it wants a key: set KEEPWARM_KEY"):
        await asyncio.to_thread(find, gateway.url, "wrong")
    assert await asyncio.to_thread(find, gateway.url, "right") is not None
    with pytest.raises(AgentError, match="it is no keepwarm"):
        await asyncio.to_thread(find, stub.url)


def test_nobody(free_port: int) -> None:
    assert find(f"http://127.0.0.1:{free_port}") is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{",
    ],
)
async def test_whatever_else_listens(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(AgentError, match="it is no keepwarm"):
            await asyncio.to_thread(find, f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("box.lan", "http://box.lan:1"),
    ],
)
def test_where_settings_have_it(host: str, url: str) -> None:
    assert address(Config(host=host, port=1)) == url


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://10.0.0.7:8000", True),
        ("http://gpubox:8000", True),
        ("http://gpubox.local", True),
        ("https://api.anthropic.com", False),
        ("https://openrouter.ai/api", False),
        ("http://93.184.216.34", False),
    ],
)
def test_which_servers_have_no_use_for_a_real_key(url: str, near: bool) -> None:
    assert is_nearby(url) is near
    assert Neighbour("u", 1, url, True).door("", "").local is near


def test_a_hold_without_a_gateway_leaves_an_empty_lock(tmp_path: Path) -> None:
    with Hold(tmp_path / "data", 1), Hold(tmp_path / "data", 1):
        pass
    assert (tmp_path / "data" / "gateway-1.lock").read_bytes() == b""


def test_the_number_of_another_program_is_not_ended(tmp_path: Path, free_port: int) -> None:
    lock = tmp_path / f"gateway-{free_port}.lock"
    lock.write_text("1")
    with Hold(tmp_path, free_port) as hold:
        hold.share(f"http://127.0.0.1:{free_port}", "")
    assert lock.read_bytes() == b""


def test_a_folder_that_cannot_be_made_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AgentError, match="name another --ledger"), Hold(tmp_path / "file" / "data", 1):
        pass


def test_a_free_port() -> None:
    assert free_port("127.0.0.1") > 0
