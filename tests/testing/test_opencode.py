"""The driver of OpenCode, against a script that stands in for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keepwarm.testing.chat_agent import MODEL, Heard
from keepwarm.testing.opencode import VERSION, OpenCode, listen
from tests.testing.stand_ins import WRITE_DOWN, StandIn, arguments, environment


def agent(stand_in: StandIn, folder: Path) -> OpenCode:
    stand_in(f"opencode-{VERSION}", "opencode", WRITE_DOWN + 'echo \'{"type":"text","part":{"text":"Done."}}\'\n')
    (folder / "work").mkdir()
    return OpenCode(folder / "home", "http://127.0.0.1:1", folder / "work")


async def test_a_turn_and_the_one_behind_it(stand_in: StandIn, tmp_path: Path) -> None:
    code = agent(stand_in, tmp_path)
    run = await code.run("hello there")
    assert run.heard == Heard("Done.")
    assert environment(code.home) == code.environment()
    assert (arguments(code.home)[0], arguments(code.home)[-1]) == ("run", "hello there")
    assert "-c" not in arguments(code.home)
    await code.run("go on", continue_=True)
    assert "-c" in arguments(code.home)


def test_the_settings_name_the_server_and_switch_off_what_would_leave(stand_in: StandIn, tmp_path: Path) -> None:
    code = agent(stand_in, tmp_path)
    said = json.loads((code.home / ".config" / "opencode" / "opencode.json").read_text())
    assert said["provider"]["keepwarm"]["options"] == {"baseURL": "http://127.0.0.1:1/v1", "apiKey": "dummy"}
    assert said["model"] == f"keepwarm/{MODEL}"
    assert (said["autoupdate"], said["share"]) == (False, "disabled")
    assert code.environment()["OPENCODE_DISABLE_MODELS_FETCH"] == "1"
    with pytest.raises(ValueError, match="this machine only"):
        OpenCode(tmp_path, "https://api.example.com", tmp_path)


def test_what_it_prints_is_understood() -> None:
    said: list[dict[str, Any]] = [
        {"type": "text", "part": {"text": "I look."}},
        {"type": "tool_use", "part": {"state": {"status": "completed"}}},
        {"type": "tool_use", "part": {"state": {"status": "error", "error": "no such file"}}},
        {"type": "text", "part": {"text": "Done."}},
        {"type": "error", "error": "overloaded"},
    ]
    assert listen(said) == Heard("Done.", 2, ("no such file", "overloaded"))
