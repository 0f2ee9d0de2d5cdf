"""How an agent's process is started and ended, against small shell scripts."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from keepwarm.testing import agent_process
from keepwarm.testing.agent_process import (
    CLIENTS_VARIABLE,
    DEAD_PROXY,
    ClientMissing,
    ClientTimeout,
    bare_environment,
    find_program,
    node_folder,
    require_loopback,
)
from tests.testing.stand_ins import StandIn

HANG = """#!/bin/bash
exec 3> "$HOME/alive"
sleep 60 &
echo started >&3
wait
"""


def test_an_environment_begins_with_nothing_of_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "secret")
    env = bare_environment(tmp_path)
    assert "secret" not in env.values()
    assert env["HOME"] == str(tmp_path)
    assert env["HTTP_PROXY"] == env["HTTPS_PROXY"] == DEAD_PROXY
    assert "127.0.0.1" in env["NO_PROXY"].split(",")


def test_a_server_elsewhere_is_refused() -> None:
    require_loopback("http://127.0.0.1:8787")
    with pytest.raises(ValueError, match="this machine only"):
        require_loopback("https://api.example.com")


def test_a_missing_client_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path))
    with pytest.raises(ClientMissing, match="make clients"):
        find_program("pi-9.9.9", "pi")


def test_the_node_that_was_installed_goes_before_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: StandIn
) -> None:
    own = tmp_path / "own" / "node"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(own.parent))
    monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path / "clients"))
    assert node_folder() == str(own.parent)
    installed = tmp_path / "clients" / "node-22.1.0" / "node_modules" / "node" / "bin"
    installed.mkdir(parents=True)
    assert node_folder() == str(installed)


def test_a_machine_without_node_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path))
    with pytest.raises(ClientMissing, match=re.escape("Node.js")):
        node_folder()


async def test_a_process_that_does_not_end_in_time_is_an_error(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("slow-1", "slow", "#!/bin/bash\nsleep 60\n")
    with pytest.raises(ClientTimeout, match=r"slow was still running after 0\.1 s"):
        async with agent_process.agent_process([str(program)], tmp_path, {}, timeout=0.1) as process:
            await process.wait()


async def test_all_that_a_process_started_dies_with_it(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("slow-1", "slow", HANG)
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    async with agent_process.agent_process([str(program)], tmp_path, env, timeout=60):
        # The shell and its sleeping child hold the pipe open: it ends when the last of them is gone, and no sooner.
        held = await asyncio.to_thread(pipe.open)
        assert await asyncio.to_thread(held.readline) == "started\n"
    with held:
        assert await asyncio.wait_for(asyncio.to_thread(held.read), timeout=30) == ""
