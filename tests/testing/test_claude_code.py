"""The driver of Claude Code, against small shell scripts that stand in for the client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from keepwarm.testing import claude_code
from keepwarm.testing.agent_process import CLIENTS_VARIABLE, DEAD_PROXY, ClientMissing, ClientTimeout
from keepwarm.testing.claude_code import ClaudeCode

Make = Callable[..., ClaudeCode]

ECHO_ENVIRONMENT = """#!/bin/bash
env -0 > "$HOME/environment"
printf '%s\\n' "$@" > "$HOME/arguments"
echo '{"type":"system","session_id":"s-1"}'
echo 'not a document'
echo '{"type":"result","result":"ended"}'
echo 'a complaint' >&2
"""

ANSWER_EACH_LINE = """#!/bin/bash
while read -r line; do
  echo "$line" >> "$HOME/heard"
  echo '{"type":"result","result":"ended"}'
done
exit 3
"""

HANG = """#!/bin/bash
exec 3> "$HOME/alive"
sleep 60 &
echo started >&3
wait
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a ClaudeCode whose executable is the given shell script."""

    def make(script: str, **options: Any) -> ClaudeCode:
        executable = tmp_path / "clients" / "cc-9.9.9" / "node_modules" / ".bin" / "claude"
        executable.parent.mkdir(parents=True)
        executable.write_text(script)
        executable.chmod(0o755)
        monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path / "clients"))
        return ClaudeCode("9.9.9", tmp_path / "home", "http://127.0.0.1:1", tmp_path / "work", **options)

    return make


async def test_the_client_sees_nothing_of_the_callers_environment(
    client: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "secret")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "secret")
    code = client(ECHO_ENVIRONMENT)
    await code.run("hello")
    seen = dict(entry.split("=", 1) for entry in (tmp_path / "home" / "environment").read_text().split("\0") if entry)
    added_by_bash = {"_", "PWD", "OLDPWD", "SHLVL"}
    assert set(seen) - added_by_bash == set(code.environment())
    assert seen["ANTHROPIC_API_KEY"] == "dummy"
    assert seen["HOME"] == str(tmp_path / "home")
    assert "secret" not in seen.values()


async def test_only_loopback_can_be_reached(client: Make) -> None:
    env = client(ECHO_ENVIRONMENT).environment()
    assert env["HTTPS_PROXY"] == env["HTTP_PROXY"] == DEAD_PROXY
    assert "127.0.0.1" in env["NO_PROXY"].split(",")


def test_a_server_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        ClaudeCode("9.9.9", tmp_path, "https://api.example.com", tmp_path)


def test_a_missing_client_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENTS_VARIABLE, str(tmp_path))
    with pytest.raises(ClientMissing, match="make clients"):
        claude_code.find_client("9.9.9")


def test_first_party_and_extra_variables(client: Make) -> None:
    env = client(ECHO_ENVIRONMENT, first_party=True, extra_env={"DISABLE_TELEMETRY": "", "MORE": "1"}).environment()
    assert env[claude_code.FIRST_PARTY_VARIABLE] == "1"
    assert env["MORE"] == "1"
    assert "DISABLE_TELEMETRY" not in env


async def test_one_turn_in_a_process_of_its_own(client: Make, tmp_path: Path) -> None:
    run = await client(ECHO_ENVIRONMENT).run("hello there", continue_=True, max_turns=7)
    assert run.returncode == 0
    assert run.session_id() == "s-1"
    assert [result["result"] for result in run.results()] == ["ended"]
    assert "not a document" in run.stdout
    assert run.stderr == "a complaint\n"
    arguments = (tmp_path / "home" / "arguments").read_text().splitlines()
    assert arguments[arguments.index("-p") + 1] == "hello there"
    assert arguments[arguments.index("--max-turns") + 1] == "7"
    assert {"-c", "--dangerously-skip-permissions", "--verbose"} <= set(arguments)


async def test_later_turns_reach_the_same_process_after_the_result_of_the_turn_before(
    client: Make, tmp_path: Path
) -> None:
    run = await client(ANSWER_EACH_LINE).converse(["first", "second"])
    heard = [json.loads(line) for line in (tmp_path / "home" / "heard").read_text().splitlines()]
    assert [turn["message"]["content"] for turn in heard] == ["first", "second"]
    assert len(run.results()) == 2
    assert run.returncode == 3


async def test_a_client_that_does_not_end_in_time_is_an_error(client: Make) -> None:
    with pytest.raises(ClientTimeout, match=r"9\.9\.9"):
        await client("#!/bin/bash\nsleep 60\n").run("hello", timeout=0.1)


async def test_all_that_a_client_started_dies_with_it(client: Make, tmp_path: Path) -> None:
    code = client(HANG)
    pipe = tmp_path / "home" / "alive"
    os.mkfifo(pipe)
    running = asyncio.create_task(code.run("hello"))
    # The shell and its sleeping child hold the pipe open: it ends when the last of them is gone, and no sooner.
    held = await asyncio.to_thread(pipe.open)
    with held:
        assert await asyncio.to_thread(held.readline) == "started\n"
        running.cancel()
        assert await asyncio.wait_for(asyncio.to_thread(held.read), timeout=30) == ""
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_run_lists_tools_once_and_results_of_all() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}
    bad = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "no"}
    run = claude_code.ClaudeRun(
        returncode=0,
        stdout="",
        stderr="",
        events=(
            {"type": "assistant", "message": {"content": [use]}},
            {"type": "assistant", "message": {"content": [use]}},
            {
                "type": "user",
                "message": {"content": [bad, {"type": "tool_result", "tool_use_id": "t2", "content": "yes"}]},
            },
            {"type": "user", "message": {"content": "plain words"}},
        ),
        seconds=0.0,
    )
    assert run.tool_uses() == [use]
    assert len(run.tool_results()) == 2
    assert run.tool_errors() == [bad]
