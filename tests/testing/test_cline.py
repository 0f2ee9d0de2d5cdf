"""The driver of Cline, against a script that stands in for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keepwarm.testing.chat_agent import MODEL, Heard
from keepwarm.testing.cline import VERSION, Cline
from tests.testing.stand_ins import StandIn

AGENT = """
import json, os, sys
from pathlib import Path

home = Path(os.environ["HOME"])
(home / "environment").write_text("\\0".join(f"{name}={value}" for name, value in os.environ.items()))
(home / "arguments").write_text("".join(f"{argument}\\0" for argument in sys.argv[1:]))
for line in sys.stdin:
    call = json.loads(line)
    words = call["method"] + call["params"].get("sessionId", "")
    update = {"sessionUpdate": "agent_message_chunk", "content": {"text": words}}
    if call["method"] == "session/prompt":
        print(json.dumps({"method": "session/update", "params": {"update": update}}), flush=True)
    answer = {"session/new": {"sessionId": "s-1"}, "session/prompt": {"stopReason": "end_turn"}}
    with (home / "calls").open("a") as calls:
        calls.write(call["method"] + "\\n")
    print(json.dumps({"id": call["id"], "result": answer.get(call["method"], {})}), flush=True)
"""


def agent(stand_in: StandIn, folder: Path) -> Cline:
    stand_in(f"cline-{VERSION}", "cline", AGENT)
    (folder / "work").mkdir()
    return Cline(folder / "home", "http://127.0.0.1:1", folder / "work")


async def test_a_turn_and_the_one_behind_it(stand_in: StandIn, tmp_path: Path) -> None:
    cline = agent(stand_in, tmp_path)
    run = await cline.run("hello there")
    assert (run.returncode, run.heard) == (0, Heard("session/prompts-1"))
    assert (await cline.run("go on", continue_=True)).heard == Heard("session/prompts-1")
    calls = (cline.home / "calls").read_text().split()
    assert calls == ["initialize", "session/new", "session/prompt", "initialize", "session/load", "session/prompt"]


async def test_it_leaves_no_daemon_and_sees_nothing_of_the_callers(stand_in: StandIn, tmp_path: Path) -> None:
    cline = agent(stand_in, tmp_path)
    await cline.run("hello there")
    entries = (cline.home / "environment").read_text().split("\0")
    seen = dict(entry.split("=", 1) for entry in entries)
    assert {name: seen[name] for name in cline.environment()} == cline.environment()
    assert seen["CLINE_SESSION_BACKEND_MODE"] == "local"
    assert (cline.home / "arguments").read_text().split("\0")[0] == "--acp"


def test_the_settings_name_the_server_and_the_model(stand_in: StandIn, tmp_path: Path) -> None:
    folder = agent(stand_in, tmp_path).home / ".cline" / "data" / "settings"
    said = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
    (provider,) = said["providers.json"]["providers"].values()
    assert provider["settings"]["baseUrl"] == "http://127.0.0.1:1/v1"
    (about,) = said["models.json"]["providers"].values()
    assert list(about["models"]) == [MODEL]
    assert said["global-settings.json"] == {"telemetryOptOut": True, "autoUpdateEnabled": False}
    with pytest.raises(ValueError, match="this machine only"):
        Cline(tmp_path, "https://api.example.com", tmp_path)
