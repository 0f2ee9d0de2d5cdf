"""The driver of pi, against a script that stands in for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keepwarm.testing.chat_agent import MODEL, Heard
from keepwarm.testing.pi_agent import VERSION, Pi, listen
from tests.testing.stand_ins import WRITE_DOWN, StandIn, arguments, environment

END = '{"type":"agent_end","messages":[{"content":[{"type":"text","text":"Done."}]}]}'


def agent(stand_in: StandIn, folder: Path) -> Pi:
    stand_in(f"pi-{VERSION}", "pi", f"{WRITE_DOWN}echo '{END}'\n")
    (folder / "work").mkdir()
    return Pi(folder / "home", "http://127.0.0.1:1", folder / "work")


async def test_a_turn_and_the_one_behind_it(stand_in: StandIn, tmp_path: Path) -> None:
    pi = agent(stand_in, tmp_path)
    run = await pi.run("hello there")
    assert run.heard == Heard("Done.")
    assert environment(pi.home) == pi.environment()
    assert arguments(pi.home)[-2:] == ["-p", "hello there"]
    assert "-c" not in arguments(pi.home)
    await pi.run("go on", continue_=True)
    assert "-c" in arguments(pi.home)


def test_the_settings_name_the_server_and_it_stays_offline(stand_in: StandIn, tmp_path: Path) -> None:
    pi = agent(stand_in, tmp_path)
    said = json.loads((pi.home / ".pi" / "agent" / "models.json").read_text())["providers"]["keepwarm"]
    assert (said["baseUrl"], said["api"]) == ("http://127.0.0.1:1/v1", "openai-completions")
    assert [model["id"] for model in said["models"]] == [MODEL]
    assert pi.environment()["PI_OFFLINE"] == "1"
    with pytest.raises(ValueError, match="this machine only"):
        Pi(tmp_path, "https://api.example.com", tmp_path)


def test_what_it_prints_is_understood() -> None:
    said: list[dict[str, Any]] = [
        {"type": "tool_execution_end", "isError": False},
        {"type": "tool_execution_end", "isError": True, "result": "no such file"},
        {"type": "agent_end", "messages": [{"content": []}, {"content": [{"type": "thinking"}, {"text": "Done."}]}]},
    ]
    assert listen(said) == Heard("Done.", 2, ("no such file",))
