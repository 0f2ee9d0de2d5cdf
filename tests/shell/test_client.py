"""One model server: what kind it is, whose key it gets, and connections that it drops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from keepwarm.shell.client import Upstream
from keepwarm.testing.tiny_model import tiny_model
from keepwarm.testing.tiny_shapes import SHAPES, Memory
from keepwarm.upstream.api import Outgoing, Traits
from keepwarm.upstream.vllm import UNREAD
from tests.shell.conftest import OpenStub
from tests.shell.stub import Seen, Stub, hang_up, refuse

OpenUpstream = Callable[..., Upstream]


@pytest.fixture
async def open_upstream() -> AsyncIterator[OpenUpstream]:
    """open_upstream(url, key=".."): closed when the test ends."""
    async with AsyncExitStack() as stack:

        def start(url: str, **options: object) -> Upstream:
            upstream = Upstream(url, **options)  # type: ignore[arg-type]
            stack.push_async_callback(upstream.close)
            return upstream

        yield start


async def test_llama_cpp_says_what_it_is(open_stub: OpenStub, open_upstream: OpenUpstream) -> None:
    stub = await open_stub(slots=3)
    assert await open_upstream(stub.url).traits() == Traits("llamacpp", 3, 8192, True, "stub-model")


@pytest.mark.parametrize("memory", SHAPES)
async def test_the_models_file_says_how_far_back_its_cache_can_go(
    memory: Memory, open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(slots=3)
    assert stub.props is not None
    stub.props["model_path"] = str(tiny_model(memory=memory))
    traits = await open_upstream(stub.url).traits()
    assert traits is not None
    assert traits.memory == memory


@pytest.mark.parametrize("path", ["", "models/none.gguf", "/nowhere/none.gguf", "/", "/etc/hostname", "/\0"])
async def test_a_file_that_is_not_here_or_no_model_says_nothing(
    path: str, open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(slots=3)
    assert stub.props is not None
    stub.props["model_path"] = path
    traits = await open_upstream(stub.url).traits()
    assert traits is not None
    assert (traits.slots, traits.memory) == (3, "")


async def test_a_server_elsewhere_has_its_files_elsewhere(
    open_stub: OpenStub, open_upstream: OpenUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.shell.client._THIS_MACHINE", ("another",))
    stub = await open_stub(slots=3)
    assert stub.props is not None
    stub.props["model_path"] = str(tiny_model(memory="swa"))
    traits = await open_upstream(stub.url).traits()
    assert traits is not None
    assert traits.memory == ""


@pytest.mark.parametrize("url", ["{}/", "{}/v1", "{}"])
async def test_the_address_may_be_written_as_clients_want_it(
    url: str, open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(slots=3)
    upstream = open_upstream(url.format(stub.url))
    assert await upstream.ask(Outgoing("/v1/messages", b"{}")) != (0, b"")
    assert stub.beside[0].path == "/v1/messages"


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "anthropic"), (401, "anthropic"), (422, "anthropic"), (404, "chat"), (405, "chat")]
)
async def test_a_server_that_is_no_llama_cpp_is_known_by_what_it_refuses(
    status: int, kind: str, open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(refuse(status, "No."), path="/v1/messages")
    stub.props = None
    assert await open_upstream(stub.url).traits() == Traits(kind, chat=kind == "chat")
    assert stub.seen[0].body == b"{}"


@pytest.mark.parametrize(("status", "chat"), [(400, True), (401, True), (422, True), (500, True), (404, False)])
@pytest.mark.parametrize("kind", ["anthropic", ""])
async def test_a_server_of_the_messages_api_is_asked_whether_it_takes_chat_completions_too(
    kind: str, status: int, chat: bool, open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({}, status=status if "chat" in seen.path else 400)

    stub = await open_stub(answer)
    stub.props, stub.paths = None, ("/v1/messages", "/v1/chat/completions")
    assert await open_upstream(stub.url, kind=kind).traits() == Traits("anthropic", chat=chat)
    assert [seen.body for seen in stub.seen][-1:] == [b"{}"]


async def test_a_server_that_tells_its_block_size_is_asked_for_it(
    open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(refuse(400, "No."), path="/v1/messages")
    stub.props, stub.page = None, 'vllm:cache_config_info{block_size="32",engine="0"} 1.0\n'
    traits = await open_upstream(stub.url).traits()
    assert traits is not None
    assert (traits.kind, traits.block) == ("anthropic", 32)
    named = await open_upstream(stub.url, kind="chat").traits()
    assert named is not None
    assert (named.kind, named.block) == ("chat", 32)


@pytest.mark.parametrize(
    ("figures", "known"),
    [
        (
            'vllm:cache_config_info{block_size="32"} 1.0\n',
            {"block": 32, "server": "vllm", "drops_thinking": True, "quiet_tools": True, "unread": UNREAD},
        ),
        ("sglang:cached_tokens_total 1.0\n", {}),
    ],
)
async def test_only_vllm_is_asked_what_its_template_makes_of_reasoning_and_of_tools(
    figures: str, known: dict[str, Any], open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    async def answer(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.path == "/tokenize":
            two = b"second" in seen.body and b"chat_template_kwargs" not in seen.body
            return web.json_response({"count": 60 if two or b"preserve_thinking" in seen.body else 20})
        return web.json_response({}, status=400)

    stub = await open_stub(answer)
    stub.props, stub.page, stub.paths = None, figures, ("/v1/messages", "/v1/chat/completions", "/tokenize")
    assert await open_upstream(stub.url).traits() == Traits("anthropic", **known)
    assert [seen.path for seen in stub.seen].count("/tokenize") == (5 if known else 0)
    assert "/metrics" in [seen.path for seen in stub.beside]


async def test_who_says_what_the_server_is_is_believed(open_stub: OpenStub, open_upstream: OpenUpstream) -> None:
    stub = await open_stub(slots=3)
    assert await open_upstream(stub.url, kind="chat").traits() == Traits("chat")
    known = await open_upstream(stub.url, kind="llamacpp").traits()
    assert known is not None
    assert (known.kind, known.slots) == ("llamacpp", 3)
    stub.props = None
    assert await open_upstream(stub.url, kind="llamacpp").traits() == Traits("llamacpp")


@pytest.mark.parametrize("url", ["https://api.anthropic.com", "https://bedrock-runtime.eu-west-1.amazonaws.com/"])
async def test_anthropic_itself_is_not_asked(url: str, open_upstream: OpenUpstream) -> None:
    upstream = open_upstream(url)
    assert await upstream.traits() == Traits("anthropic", first_party=True)
    assert upstream._session is None


async def test_a_name_that_only_ends_alike_is_somebody_elses(
    open_stub: OpenStub, open_upstream: OpenUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = await open_stub(slots=1)
    monkeypatch.setattr("keepwarm.shell.client._FIRST_PARTY", ("27.0.0.1", "0.1."))
    traits = await open_upstream(stub.url).traits()
    assert traits is not None
    assert not traits.first_party


async def test_it_is_asked_once_and_again_when_it_was_lost(
    open_stub: OpenStub, open_upstream: OpenUpstream, free_port: int
) -> None:
    stub = await open_stub(slots=1)
    upstream = open_upstream(stub.url)
    await asyncio.gather(*(upstream.traits() for _ in range(5)))
    assert len(stub.beside) == 1
    upstream.forget()
    assert stub.props is not None
    stub.props["total_slots"] = 2
    again = await upstream.traits()
    assert again is not None
    assert again.slots == 2
    assert await open_upstream(f"http://127.0.0.1:{free_port}").traits() is None


async def test_a_server_that_loads_its_model_is_no_server_yet(open_stub: OpenStub, open_upstream: OpenUpstream) -> None:
    stub = await open_stub(slots=1)
    upstream = open_upstream(stub.url)
    stub.props_status = 503
    assert await upstream.traits() is None
    assert [seen.path for seen in stub.beside] == ["/props"]
    stub.props_status = 200
    assert await upstream.traits() is not None


async def test_a_server_that_takes_a_connection_and_says_nothing_is_no_server(
    open_upstream: OpenUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.shell.client.TRAITS_SECONDS", 0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(10):
        upstream = open_upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert await upstream.traits() is None
        await upstream.close()


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
@pytest.mark.parametrize(("names", "shown"), [((), "authorization"), (("127.0.0.1",), "x-api-key")])
async def test_a_key_of_the_servers_own_takes_the_place_of_the_clients(
    header: str,
    names: tuple[str, ...],
    shown: str,
    open_stub: OpenStub,
    open_upstream: OpenUpstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stub = await open_stub()
    monkeypatch.setattr("keepwarm.shell.client._ANTHROPIC", names)
    upstream = open_upstream(stub.url, key="the server's")
    await upstream.ask(Outgoing("/x", b"", ((header, "the client's"),)))
    said = {name: value for name, value in stub.beside[0].headers.items() if name in ("x-api-key", "authorization")}
    assert said == {shown: "the server's" if shown == "x-api-key" else "Bearer the server's"}


async def test_a_connection_that_was_promised_and_closed_is_made_anew(open_upstream: OpenUpstream) -> None:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        for request in range(2):
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            connections[-1] += 1
            if request:
                break
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        upstream = open_upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(3):
            assert await upstream.ask(Outgoing("/x", b"", method="GET")) == (200, b"ok")
        await upstream.close()
    # The second request died on the first connection, and the third on the second.
    assert connections == [2, 2, 1]


async def test_a_server_that_is_gone_is_status_0(open_upstream: OpenUpstream, free_port: int) -> None:
    assert await open_upstream(f"http://127.0.0.1:{free_port}").ask(Outgoing("/x", b"")) == (0, b"")


async def test_a_question_to_a_server_that_dies_on_it_is_status_0(
    open_stub: OpenStub, open_upstream: OpenUpstream
) -> None:
    stub = await open_stub(hang_up)
    assert await open_upstream(stub.url).ask(Outgoing("/v1/chat/completions", b"{}")) == (0, b"")


async def test_it_can_be_closed_and_used_again(open_stub: OpenStub, open_upstream: OpenUpstream) -> None:
    stub: Stub = await open_stub(slots=1)
    upstream = open_upstream(stub.url)
    assert await upstream.traits() is not None
    await upstream.close()
    upstream.forget()
    assert await upstream.traits() is not None


async def test_a_llama_cpp_with_a_key_tells_of_itself_to_the_client_that_has_it(open_upstream: OpenUpstream) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer sesame":
            return web.json_response({"error": {"message": "Invalid API Key", "code": 401}}, status=401)
        return web.json_response({"total_slots": 2})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        upstream = open_upstream(str(server.make_url("/")))
        assert await upstream.traits() == Traits("llamacpp")
        assert await upstream.traits("Bearer wrong") == Traits("llamacpp"), "what is known without the key is not kept"
        assert (await upstream.traits("Bearer sesame")) == Traits("llamacpp", 2)
        assert (await upstream.traits()) == Traits("llamacpp", 2), "asked once"
