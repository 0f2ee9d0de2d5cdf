"""Real agents, started by `keepwarm run` as a person starts them: the scripted llama.cpp shows what arrives.

The command has an environment of its own, a home that is thrown away, no key and dead proxies. What a client sent is
read from the ledger: keepwarm would take a header out too, so the server alone would not tell.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.testing.agent_process import bare_environment, find_program
from keepwarm.testing.answers import Answer, MarkerScript
from keepwarm.testing.scripted import ScriptedServer
from keepwarm.testing.tiny_model import tiny_model
from tests.conftest import REPOSITORY

HEADER = "x-anthropic-billing-header"
SAID = "The script has spoken."
CONTEXT = 49_152
QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "IS_SANDBOX": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "PI_OFFLINE": "1",
    "PI_TELEMETRY": "0",
    "CLINE_NO_AUTO_UPDATE": "1",
}


class Desk:
    """A home, a folder to work in, and agents on the path."""

    def __init__(self, folder: Path, port: int, *installed: Path) -> None:
        self.home, self.work, self.port = folder / "home", folder / "work", port
        self.home.mkdir()
        self.work.mkdir()
        bare = bare_environment(self.home)
        del bare["NO_PROXY"]  # `run` is what sees to it
        path = ":".join([*(str(one.parent) for one in installed), bare["PATH"]])
        self.environment = bare | QUIET | {"PATH": path, "PYTHONPATH": str(REPOSITORY)}
        if cache := os.environ.get("XDG_CACHE_HOME"):
            self.environment["XDG_CACHE_HOME"] = cache

    async def keepwarm(self, *arguments: str) -> tuple[int, str, str]:
        """(status, output, complaints) of `keepwarm ARGUMENTS`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "keepwarm", *arguments),
            cwd=self.work,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        async with asyncio.timeout(150):
            stdout, stderr = await process.communicate()
        return process.returncode or 0, stdout.decode(), stderr.decode()

    async def run(self, upstream: str, *arguments: str) -> tuple[int, str, str]:
        """`keepwarm run` towards a model server."""
        return await self.keepwarm("run", "--port", str(self.port), "--upstream", upstream, *arguments)

    def records(self) -> list[Record]:
        """The ledger, oldest first."""
        with Query(self.home / ".local" / "share" / "keepwarm" / "ledger.sqlite") as query:
            return list(reversed(query.page(limit=100).records))


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One for all of them: nothing here depends on what it has kept."""
    options = EngineOptions(model=tiny_model(), slots=2, context=2 * CONTEXT, threads=1, cache_ram_mib=512)
    with Engine(options) as running:
        yield running


@pytest.fixture
async def server(engine: Engine) -> AsyncIterator[ScriptedServer]:
    """A llama.cpp that answers everything in the same words."""
    async with ScriptedServer(engine.url, MarkerScript({}, default=Answer(SAID))) as scripted:
        yield scripted


def lifted(record: Record) -> dict[str, str]:
    """What was taken out of a prompt's head: the header's values, when the client sent one."""
    return dict(record.metadata)


def sent(server: ScriptedServer) -> str:
    """Everything that reached the server."""
    return "".join(msgspec.json.encode(one.request).decode() for one in server.exchanges)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("version", ["2.1.114", "2.1.328"])
async def test_claude_code_sends_no_header(
    version: str, tmp_path: Path, free_port: int, server: ScriptedServer
) -> None:
    desk = Desk(tmp_path, free_port, find_program(f"cc-{version}", "claude"))
    # The user's file says otherwise, and would win over the environment.
    user = desk.home / ".claude" / "settings.json"
    user.parent.mkdir()
    said = {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9", "MINE": "kept"}
    user.write_text(json.dumps({"env": said}))
    before = user.read_bytes()
    status, stdout, stderr = await desk.run(server.url, "claude", "-p", "Say something", "--max-turns", "2")
    assert (status, stdout.strip()) == (0, SAID), stderr
    assert server.exchanges
    assert HEADER not in sent(server)
    records = desk.records()
    assert records
    assert [lifted(record) for record in records] == [{}] * len(records)
    assert {record.client.split("/")[1] for record in records} == {version}
    # That the ledger would tell: the same client without `run`, through a gateway that a person started.
    assert await with_header(desk, server, version)
    assert user.read_bytes() == before


async def with_header(desk: Desk, server: ScriptedServer, version: str) -> dict[str, str]:
    """What the ledger tells of a client that sends its header, as `--settings` of the user's own has it."""
    mine = json.dumps(
        {"env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{desk.port}"}}
    )
    asked = ("claude", "--settings", mine, "-p", "Say it again", "--max-turns", "2")
    status, stdout, stderr = await desk.run(server.url, *asked)
    assert (status, stdout.strip()) == (0, SAID), stderr
    assert HEADER not in sent(server)  # keepwarm takes it out
    return lifted(desk.records()[-1])


AGENTS: dict[str, tuple[str, list[str]]] = {
    "opencode": ("opencode-1.18.33", ["run", "Say something"]),
    "qwen": ("qwen-0.24.4", ["-p", "Say something"]),
    "pi": ("pi-0.73.1", ["-p", "Say something"]),
    "cline": ("cline-3.0.65", ["Say something"]),
}


@pytest.mark.matrix
@pytest.mark.timeout(400)
async def test_the_other_agents_find_the_gateway_and_leave_the_users_files_alone(
    tmp_path: Path, free_port: int, server: ScriptedServer
) -> None:
    for name, (installation, arguments) in AGENTS.items():
        folder = tmp_path / name
        folder.mkdir()
        desk = Desk(folder, free_port, find_program(installation, name))
        seen = len(server.exchanges)
        status, stdout, stderr = await desk.run(server.url, name, *arguments)
        assert status == 0, f"{name}: {stderr}"
        assert SAID in stdout, f"{name}: {stdout}{stderr}"
        assert len(server.exchanges) > seen
        assert desk.records()[-1].status == 200
        assert [path for path in settings_of(desk, name) if "keepwarm" in path.read_text(errors="replace")] == []


def settings_of(desk: Desk, name: str) -> list[Path]:
    """The agent's own settings, as far as it wrote any."""
    from keepwarm.clients.api import Places
    from keepwarm.clients.registry import CLIENTS

    files = CLIENTS[name].files(Places(desk.home, desk.work, {}))
    return [file.path for file in files if file.path.exists()]


@pytest.mark.timeout(400)
async def test_what_fix_writes_is_what_claude_code_reads(
    tmp_path: Path, free_port: int, server: ScriptedServer
) -> None:
    desk = Desk(tmp_path, free_port, find_program("cc-2.1.328", "claude"))
    user = desk.home / ".claude" / "settings.json"
    user.parent.mkdir()
    before = b'\xef\xbb\xbf{\r\n\t"env" : { "MINE":"kept" },\r\n\t"model": "opus"\r\n}\r\n'
    user.write_bytes(before)
    url = f"http://127.0.0.1:{free_port}"
    status, stdout, stderr = await desk.keepwarm("fix", "claude", "--yes", "--gateway", url)
    assert status == 0, stdout + stderr
    assert '+\t"env"' in stdout.replace("    ", "\t")
    # Straight at a gateway: nothing but the file tells Claude Code where it is, and to leave the header out.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "keepwarm", "serve", "--port", str(free_port), "--upstream", server.url),
        env=desk.environment,
        cwd=desk.work,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        while b"gateway " not in await process.stdout.readline():
            pass
        done: Any = await asyncio.create_subprocess_exec(
            *(str(find_program("cc-2.1.328", "claude")), "-p", "Say something", "--max-turns", "2"),
            env=desk.environment | {"ANTHROPIC_AUTH_TOKEN": "dummy", "NO_PROXY": "127.0.0.1"},
            cwd=desk.work,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            stdout = (await done.communicate())[0].decode()
    finally:
        process.terminate()
        await process.wait()
    assert stdout.strip() == SAID
    assert [lifted(record) for record in desk.records()] == [{}] * len(desk.records())
    status, stdout, stderr = await desk.keepwarm("fix", "claude", "--undo")
    assert status == 0, stdout + stderr
    assert user.read_bytes() == before
