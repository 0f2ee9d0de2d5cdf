"""The driver of Qwen Code, against a script that stands in for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keepwarm.testing.chat_agent import Heard
from keepwarm.testing.qwen_code import VERSION, QwenCode, listen
from tests.testing.stand_ins import WRITE_DOWN, StandIn, arguments, environment


def agent(stand_in: StandIn, folder: Path) -> QwenCode:
    stand_in(f"qwen-{VERSION}", "qwen", WRITE_DOWN + 'echo \'{"type":"result","result":"Done."}\'\n')
    (folder / "work").mkdir()
    return QwenCode(folder / "home", "http://127.0.0.1:1", folder / "work")


async def test_a_turn_and_the_one_behind_it(stand_in: StandIn, tmp_path: Path) -> None:
    qwen = agent(stand_in, tmp_path)
    run = await qwen.run("hello there")
    assert run.heard == Heard("Done.")
    assert environment(qwen.home) == qwen.environment()
    assert qwen.environment()["OPENAI_BASE_URL"] == "http://127.0.0.1:1/v1"
    assert arguments(qwen.home)[-2:] == ["-p", "hello there"]
    assert "-c" not in arguments(qwen.home)
    await qwen.run("go on", continue_=True)
    assert "-c" in arguments(qwen.home)


EDITOR = """
import json, sys

for line in sys.stdin:
    call = json.loads(line)
    said = call["params"].get("prompt", [{}])[0].get("text")
    words = {"sessionUpdate": "agent_message_chunk", "content": {"text": said}}
    if call["method"] == "session/prompt":
        print(json.dumps({"method": "session/update", "params": {"update": words}}), flush=True)
    answer = {"session/new": {"sessionId": "s-1"}, "session/prompt": {"stopReason": "end_turn"}}
    print(json.dumps({"id": call["id"], "result": answer.get(call["method"], {})}), flush=True)
    print(json.dumps({"method": "qwen/notify/session/prompt-suggestion", "params": {}}), flush=True)
"""


async def test_an_editor_has_all_turns_in_one_process(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in(f"qwen-{VERSION}", "qwen", EDITOR)
    (tmp_path / "work").mkdir()
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1

    qwen = QwenCode(tmp_path / "home", "http://127.0.0.1:1", tmp_path / "work")
    runs = await qwen.converse(["one", "two"], pause, timeout=60)
    assert [(run.returncode, run.heard) for run in runs] == [(0, Heard("one")), (0, Heard("two"))]
    assert pauses == 2


def test_what_would_leave_this_machine_is_off(stand_in: StandIn, tmp_path: Path) -> None:
    said = json.loads((agent(stand_in, tmp_path).home / ".qwen" / "settings.json").read_text())
    assert said["privacy"] == {"usageStatisticsEnabled": False}
    assert said["general"] == {"enableAutoUpdate": False}
    with pytest.raises(ValueError, match="this machine only"):
        QwenCode(tmp_path, "https://api.example.com", tmp_path)


def test_what_it_prints_is_understood() -> None:
    good = {"type": "tool_result", "content": "six files"}
    bad = {"type": "tool_result", "is_error": True, "content": "no such file"}
    said: list[dict[str, Any]] = [
        {"type": "system"},
        {"type": "user", "message": {"content": [good, bad]}},
        {"type": "user", "message": {"content": "plain words"}},
        {"type": "result", "result": "Done."},
    ]
    assert listen(said) == Heard("Done.", 2, ("no such file",))
