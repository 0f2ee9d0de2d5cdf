"""`keepwarm run`: the gateway that it finds or starts, the agent's arguments, environment, signals and end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from keepwarm.shell.neighbour import find
from keepwarm.testing.agent_process import DEAD_PROXY
from tests.shell.agents_stage import Terminal, signal_group
from tests.shell.conftest import OpenGateway, OpenStub

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")


@pytest.fixture
def terminal(tmp_path: Path, free_port: int) -> Terminal:
    return Terminal(tmp_path, free_port)


def left(terminal: Terminal) -> list[str]:
    """What is left of a gateway."""
    assert find(terminal.url) is None
    return [path.name for path in terminal.data.glob("*.lock") if path.read_bytes()]


async def test_a_gateway_is_started_and_ends_with_the_agent(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    terminal.install("claude", end="print('its own words'); sys.exit(7)")
    ran = await terminal.run("--upstream", stub.url, "claude", "-p", "two words", "--upstream", "x", "--help")
    assert (ran.returncode, ran.stdout) == (7, "its own words\n")
    assert f"Claude Code -> {terminal.url} -> {stub.url} (llamacpp" in ran.stderr
    told: Any = await terminal.until_told()
    assert told["arguments"][2:] == ["-p", "two words", "--upstream", "x", "--help"]
    assert told["environment"]["ANTHROPIC_BASE_URL"] == terminal.url
    assert told["environment"]["CLAUDE_CODE_ATTRIBUTION_HEADER"] == "0"
    assert told["environment"]["NO_PROXY"] == "127.0.0.1,localhost,::1"
    assert told["environment"]["HTTP_PROXY"] == DEAD_PROXY
    # It ignores no more than what whoever runs these tests has ignored (a shell's job behind the scenes does).
    assert told["ignored"] == [
        one for one in (signal.SIGINT, signal.SIGQUIT) if signal.getsignal(one) is signal.SIG_IGN
    ]
    assert left(terminal) == []


async def test_a_gateway_that_runs_is_used_and_left_alone(
    terminal: Terminal, open_stub: OpenStub, open_gateway: OpenGateway
) -> None:
    stub = await open_stub()
    gateway = await open_gateway(stub.url)
    terminal.install("claude")
    port = gateway.url.rsplit(":", 1)[1]
    for named in ([], ["--upstream", f"{stub.url}/"]):
        ran = await terminal.keepwarm("run", "--port", port, *named, "claude")
        assert (ran.returncode, ran.stderr.count("->")) == (0, 2)
        told: Any = await terminal.until_told()
        assert told["environment"]["ANTHROPIC_BASE_URL"] == gateway.url
    assert await asyncio.to_thread(find, gateway.url) is not None


async def test_another_server_than_the_running_gateways_gets_a_gateway_of_its_own(
    terminal: Terminal, open_stub: OpenStub, open_gateway: OpenGateway
) -> None:
    first, second = await open_stub(), await open_stub()
    gateway = await open_gateway(first.url)
    terminal.install("claude")
    ran = await terminal.keepwarm("run", "--port", gateway.url.rsplit(":", 1)[1], "--upstream", second.url, "claude")
    assert ran.returncode == 0, ran.stderr
    assert f"stands in front of {first.url}; another one is started" in ran.stderr
    told: Any = await terminal.until_told()
    own = told["environment"]["ANTHROPIC_BASE_URL"]
    assert own != gateway.url
    assert await asyncio.to_thread(find, own) is None
    assert await asyncio.to_thread(find, gateway.url) is not None


async def test_the_last_one_ends_the_gateway_that_they_share(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    terminal.install("claude", end="time.sleep(60)")
    terminal.install("opencode", end="time.sleep(60)")
    first = await terminal.start("run", "--port", str(terminal.port), "--upstream", stub.url, "claude")
    await terminal.until_told()
    terminal.told.unlink()
    second = await terminal.start("run", "--port", str(terminal.port), "opencode")
    told: Any = await terminal.until_told()
    assert terminal.url in told["environment"]["OPENCODE_CONFIG_CONTENT"]
    first.send_signal(signal.SIGTERM)
    assert await first.wait() == 128 + signal.SIGTERM
    assert await asyncio.to_thread(find, terminal.url) is not None
    second.send_signal(signal.SIGTERM)
    assert await second.wait() == 128 + signal.SIGTERM
    assert left(terminal) == []


async def test_two_at_one_moment_share_one_gateway(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    for name in ("claude", "qwen", "opencode"):
        terminal.install(name, end="time.sleep(1)")
    ran = await asyncio.gather(*(terminal.run("--upstream", stub.url, name) for name in ("claude", "qwen", "opencode")))
    assert [one.returncode for one in ran] == [0, 0, 0], ran
    assert all(f"-> {terminal.url} ->" in one.stderr for one in ran)
    assert left(terminal) == []


async def test_control_c_is_the_agents(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    body = "signal.signal(signal.SIGINT, lambda *_: sys.exit(5))"
    terminal.install("claude", body=body, end="time.sleep(60)")
    process = await terminal.start("run", "--port", str(terminal.port), "--upstream", stub.url, "claude")
    await terminal.until_told()
    signal_group(process, signal.SIGINT)
    assert await process.wait() == 5
    assert left(terminal) == []


async def test_who_ends_it_ends_the_agent(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    terminal.install("claude", end="time.sleep(60)")
    process = await terminal.start("run", "--port", str(terminal.port), "--upstream", stub.url, "claude")
    told: Any = await terminal.until_told()
    process.send_signal(signal.SIGHUP)
    assert await process.wait() == 128 + signal.SIGHUP
    assert not psutil.pid_exists(told["pid"])
    assert left(terminal) == []


async def test_files_of_one_process_are_gone_afterwards(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    terminal.install("cline")
    assert (await terminal.run("--upstream", stub.url, "cline", "do it")).returncode == 0
    told: Any = await terminal.until_told()
    assert told["files"] == ["models.json", "providers.json"]
    assert not Path(told["environment"]["CLINE_PROVIDER_SETTINGS_PATH"]).parent.exists()
    assert [path.name for path in terminal.home.iterdir()] == [".local"]


async def test_a_gateway_with_a_key(terminal: Terminal, open_stub: OpenStub, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway((await open_stub()).url, key="gate-key")
    terminal.install("claude")
    port = gateway.url.rsplit(":", 1)[1]
    ran = await terminal.keepwarm("run", "--port", port, "claude")
    assert ran.returncode == 1
    assert "set KEEPWARM_KEY" in ran.stderr
    ran = await terminal.keepwarm("run", "--port", port, "claude", more={"KEEPWARM_KEY": "gate-key"})
    assert ran.returncode == 0, ran.stderr
    assert "gate-key" not in ran.stdout + ran.stderr
    told: Any = await terminal.until_told()
    assert told["environment"]["ANTHROPIC_AUTH_TOKEN"] == "gate-key"


# What cannot be


async def test_no_model_server_is_the_message_of_serve(terminal: Terminal) -> None:
    terminal.install("claude")
    ran = await terminal.run("--engine", "nowhere.gguf", "claude")
    assert ran.returncode == 1
    assert "nowhere.gguf: name a GGUF file that exists" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not terminal.told.exists()
    assert left(terminal) == []


async def test_a_server_that_does_not_answer_is_told_before_the_agent_starts(
    terminal: Terminal, unused_tcp_port_factory: Any
) -> None:
    terminal.install("claude")
    nowhere = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    ran = await terminal.run("--upstream", nowhere, "claude")
    assert ran.returncode == 1
    assert f"no model server answers at {nowhere}: start it" in ran.stderr
    assert not terminal.told.exists()
    assert left(terminal) == []


async def test_what_is_no_keepwarm_is_told(terminal: Terminal, open_stub: OpenStub) -> None:
    stub = await open_stub()
    terminal.install("claude")
    ran = await terminal.keepwarm("run", "--port", stub.url.rsplit(":", 1)[1], "claude")
    assert ran.returncode == 1
    assert "it is no keepwarm" in ran.stderr
    ran = await terminal.keepwarm("run", "--port", stub.url.rsplit(":", 1)[1], "--upstream", stub.url, "claude")
    assert ran.returncode == 0, ran.stderr
    assert f"another program listens at {stub.url}: the gateway takes another port" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "keepwarm run claude     Claude Code  not installed: npm install -g @anthropic-ai/claude-code"),
        (["claude"], "npm install -g @anthropic-ai/claude-code"),
        (["emacs"], "use one of claude, opencode, qwen, pi, cline"),
    ],
)
async def test_an_agent_that_is_not_there_is_told(terminal: Terminal, arguments: list[str], words: str) -> None:
    ran = await terminal.run(*arguments)
    assert ran.returncode == 1
    assert words in ran.stderr
