"""What the agents with Chat Completions share: their calls, their settings, the reading of their output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keepwarm.testing import cline, opencode, pi_agent, qwen_code
from keepwarm.testing.chat_agent import ChatAgent, Heard, documents, lay_out, run_turn
from tests.testing.stand_ins import StandIn

AGENTS: list[type[ChatAgent]] = [qwen_code.QwenCode, opencode.OpenCode, pi_agent.Pi, cline.Cline]


def test_the_versions_are_those_that_make_installs(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    (line,) = [line for line in makefile.splitlines() if line.startswith("AGENTS := ")]
    assert set(line.split()[3:]) == {
        f"qwen-{qwen_code.VERSION}",
        f"opencode-{opencode.VERSION}",
        f"pi-{pi_agent.VERSION}",
        f"cline-{cline.VERSION}",
    }


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_a_model_writes_its_calls_otherwise_than_agents_send_them_back(agent: type[ChatAgent]) -> None:
    hands = agent.hands
    for _, arguments in (hands.shell("ls"), hands.write("p", "t"), hands.read("p"), hands.edit("p", "o", "n")):
        assert json.dumps(json.loads(arguments)) == arguments
        assert json.dumps(json.loads(arguments), separators=(",", ":")) != arguments


def test_settings_lie_below_the_home(tmp_path: Path) -> None:
    lay_out(tmp_path, {".agent/settings.json": {"off": True}})
    assert json.loads((tmp_path / ".agent" / "settings.json").read_text()) == {"off": True}


def test_complaints_among_the_output_are_left_out() -> None:
    assert documents(["a warning", '{"a": 1}', "[1]", ""]) == [{"a": 1}]


async def test_a_turn_is_one_process(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("x-1", "x", '#!/bin/bash\necho \'{"said": "\'"$1"\'"}\'\necho complaint >&2\nexit 3\n')

    def listen(said: list[dict[str, Any]]) -> Heard:
        return Heard(said[0]["said"])

    run = await run_turn([str(program), "hello"], tmp_path, {}, 60, listen)
    assert (run.returncode, run.heard, run.stderr) == (3, Heard("hello"), "complaint\n")
    assert run.stdout == '{"said": "hello"}\n'
