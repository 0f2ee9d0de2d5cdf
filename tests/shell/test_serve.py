"""`keepwarm serve` as a process: what it says, what it finds, and how it ends."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web
from rich.console import Console

from keepwarm.config import Config, override
from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.errors import ConfigError, EngineError
from keepwarm.ledger.query import Query
from keepwarm.shell import serve as serving
from keepwarm.testing.answers import Answer
from keepwarm.testing.tiny_model import tiny_model
from tests.conftest import REPOSITORY
from tests.shell.asking import events, kinds, text_of
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import COUNTS, SHAPE, Seen, begin, hello, message_body, refuse

SENTENCE = Answer("A sentence that takes more than one piece.")


class Serving:
    """A `keepwarm serve` that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        """What it has printed so far."""

    async def until(self, words: str) -> str:
        """The line that holds `words`; fails when the process ends before it comes."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := (await self.process.stdout.readline()).decode():
                self.said += line
                if words in line:
                    return line
        raise AssertionError(f"it ended without {words!r}: {self.said}")

    async def url(self) -> str:
        """Where it listens."""
        return (await self.until("gateway ")).split()[1]

    async def end(self) -> int:
        """Its exit status, when it has ended by itself."""
        async with asyncio.timeout(30):
            return await self.process.wait()


@asynccontextmanager
async def serve(folder: Path, *arguments: str) -> AsyncIterator[Serving]:
    """`keepwarm serve` with a port and a ledger of its own; killed if it still runs in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "keepwarm.cli", "serve", "--port", "0", "--ledger", str(folder / "ledger.sqlite")),
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Serving(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_stream_in_flight_ends_before_the_gateway_does(
    end: signal.Signals, open_stub: OpenStub, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    go = asyncio.Event()

    async def pausing(request: web.Request, seen: Seen) -> web.StreamResponse:
        first, *rest = SHAPE.deltas(SENTENCE, ())
        response = await begin(request)
        await response.write(SHAPE.role() + first)
        await go.wait()
        await response.write(b"".join(rest) + SHAPE.ending(SENTENCE, COUNTS, with_usage=True))
        return response

    stub = await open_stub(pausing, slots=1)
    async with serve(tmp_path, "--upstream", stub.url) as gateway:
        url = await gateway.url()
        async with http.post(url + "/v1/messages", data=message_body(stream=True)) as answer:
            said = []
            async for event in events(answer):
                said.append(event)
                if text_of(said) and not go.is_set():
                    gateway.process.send_signal(end)
                    await gateway.until("stopping")
                    # Nobody new is let in.
                    with pytest.raises(aiohttp.ClientConnectorError):
                        await http.get(url + "/health")
                    go.set()
        assert text_of(said) == SENTENCE.text
        assert kinds(said)[-1] == "message_stop"
        assert await gateway.end() == 0
    assert f"upstream  {stub.url}  llamacpp, 1 slot, 8,192 tokens each\n" in gateway.said
    assert f"  ANTHROPIC_BASE_URL={url} ANTHROPIC_API_KEY=dummy ANTHROPIC_MODEL=stub-model claude\n" in gateway.said
    assert f"or an agent of OpenAI's protocol: base URL {url}/v1, any key\n" in gateway.said
    with Query(tmp_path / "ledger.sqlite") as query:
        (record,) = query.page(limit=10).records
    assert (record.status, record.ending, record.usage.cached_tokens) == (200, "done", COUNTS.cached)


async def test_the_engine_goes_with_the_gateway(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    (tmp_path / "keepwarm.toml").write_text('engine_context = 2048\n[upstream]\nkind = "chat"\n')
    async with serve(tmp_path, "--engine", str(tiny_model()), "--slots", "2") as gateway:
        url = await gateway.url()
        assert "llamacpp, 2 slots, 1,024 tokens each" in gateway.said
        children = psutil.Process(gateway.process.pid).children(recursive=True)
        assert len(children) == 1
        async with http.post(url + "/v1/messages", data=message_body(stream=True, max_tokens=20)) as answer:
            said: list[dict[str, object]] = []
            async for event in events(answer):
                if not said:
                    gateway.process.send_signal(signal.SIGTERM)
                said.append(event)
        assert kinds(said)[-1] == "message_stop"
        assert await gateway.end() == 0
    _, alive = psutil.wait_procs(children, timeout=0)
    assert alive == []


async def test_a_terminal_that_goes_away_does_not_end_it(
    open_stub: OpenStub, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    stub = await open_stub()
    async with serve(tmp_path, "--upstream", stub.url) as gateway:
        url = await gateway.url()
        transport = gateway.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()
        async with http.post(url + "/v1/messages", data=message_body()) as answer:
            assert answer.status == 200
        # The request's line, and that it stops, are said to nobody.
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.end() == 0
    with Query(tmp_path / "ledger.sqlite") as query:
        assert [record.ending for record in query.page(limit=10).records] == ["done"]


async def test_what_cannot_start_is_one_message(open_stub: OpenStub, tmp_path: Path) -> None:
    (tmp_path / "keepwarm.toml").write_text('engine_context = 2048\n[upstream]\nkind = "chat"\n')
    async with serve(tmp_path, "--engine", "missing.gguf") as gateway:
        line = await gateway.until("keepwarm: ")
        assert "There is no model file" in line
        assert "missing.gguf" in line
        assert await gateway.end() == 1
        assert "Traceback" not in gateway.said


# What is found


async def test_the_first_server_that_answers_is_found(
    open_stub: OpenStub, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    # A web server with an answer for everything is no model server; nor is one that refuses everything.
    page = await open_stub(hello)
    page.props, page.page = None, "<html></html>"
    refusing = await open_stub(refuse(400, "No."), path="/v1/messages")
    refusing.props = None
    stub = await open_stub(slots=2)
    ports = [(int(one.url.rsplit(":", 1)[1]), "somebody") for one in (page, refusing, stub)]
    monkeypatch.setattr(serving, "LOCAL_PORTS", ((free_port, "nobody"), *ports[:2]))
    assert await serving.find_upstream() is None
    monkeypatch.setattr(serving, "LOCAL_PORTS", ((free_port, "nobody"), *ports))
    found = await serving.find_upstream()
    assert found is not None
    assert (found[0], found[1].kind, found[1].slots) == (stub.url, "llamacpp", 2)


async def test_without_a_server_it_says_what_to_start(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setattr(serving, "LOCAL_PORTS", ((free_port, "a server"),))
    with pytest.raises(ConfigError) as caught:
        await serving._serve(Config(), Console(file=io.StringIO()))
    for words in (f"{free_port}", "a server", "llama-server -m", "--upstream http://HOST:PORT", "--engine demo"):
        assert words in str(caught.value)


async def test_an_engine_that_was_started_in_vain_is_stopped(
    open_stub: OpenStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = await asyncio.to_thread(Engine(EngineOptions(model=tiny_model(), context=512, threads=1)).start)
    taken = int((await open_stub()).url.rsplit(":", 1)[1])

    async def started(config: Config, console: Console) -> Engine:
        return engine

    monkeypatch.setattr(serving, "start_engine", started)
    config = override(Config(), engine="demo", port=taken, ledger__path=str(tmp_path / "ledger.sqlite"))
    with pytest.raises(ConfigError, match="is taken"):
        await serving._serve(config, Console(file=io.StringIO()))
    with pytest.raises(EngineError, match="not running"):
        assert engine.pid


# What is said at the start


async def announced(gateway_url: str, open_gateway: OpenGateway, **settings: object) -> str:
    """The lines of a gateway's start."""
    file = io.StringIO()
    gateway = await open_gateway(gateway_url, **settings)
    await serving._announce(gateway, Console(file=file, width=100))
    return file.getvalue()


async def test_a_server_that_is_not_there_yet_is_said(open_gateway: OpenGateway, free_port: int) -> None:
    said = await announced(f"http://127.0.0.1:{free_port}", open_gateway)
    assert f"no model server answers at http://127.0.0.1:{free_port} yet: requests are refused until one does" in said
    assert "ANTHROPIC_API_KEY=dummy claude\n" in said


async def test_observing_is_said(
    open_stub: OpenStub, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.shell.client._FIRST_PARTY", ("127.0.0.1",))
    said = await announced((await open_stub()).url, open_gateway, key="secret")
    assert "anthropic, observed only (never rewritten)" in said
    assert "ANTHROPIC_API_KEY=your-gateway-key" in said
    assert "secret" not in said
