"""The Agent Client Protocol, against a script that speaks it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from keepwarm.testing.acp import AcpError, AcpSession, listen
from keepwarm.testing.agent_process import agent_process
from keepwarm.testing.chat_agent import Heard
from tests.testing.stand_ins import StandIn

AGENT = """
import json, sys

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def update(**fields):
    say(method="session/update", params={"sessionId": "s-1", "update": fields})

def ask(method, params):
    say(id=99, method=method, params=params)
    return json.loads(sys.stdin.readline())

print("a warning that is no message", flush=True)
for line in sys.stdin:
    call = json.loads(line)
    method, params = call["method"], call["params"]
    if method == "session/new":
        say(id=call["id"], result={"sessionId": "s-1"})
    elif method == "session/load":
        update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": "what was said"})
        say(id=call["id"], result=None)
    elif method == "session/prompt" and params["prompt"][0]["text"] == "refuse":
        say(id=call["id"], error={"code": -32000, "message": "no"})
    elif method == "session/prompt":
        options = [{"optionId": "n", "kind": "reject_once"}, {"optionId": "y", "kind": "allow_once"}]
        permitted = ask("session/request_permission", {"options": options})
        refused = ask("fs/read_text_file", {"path": "x"})
        update(sessionUpdate="tool_call", status="pending")
        update(sessionUpdate="tool_call_update", status="completed")
        words = permitted["result"]["outcome"]["optionId"] + str(refused["error"]["code"]) + params["sessionId"]
        update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": words})
        reason = "cancelled" if params["prompt"][0]["text"] == "cancel" else "end_turn"
        say(id=call["id"], result={"stopReason": reason})
        say(method="later", params={})
    else:
        say(id=call["id"], result={})
sys.exit(5)
"""


async def test_a_session_from_beginning_to_end(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("x-1", "x", AGENT)
    async with agent_process([str(program)], tmp_path, {}, 60, asyncio.subprocess.PIPE) as process:
        talk = AcpSession(process, tmp_path)
        await talk.open()
        assert talk.id == "s-1"
        assert await talk.prompt("hello") == Heard("y-32601s-1", 1)
        await talk.until("later")
        with pytest.raises(AcpError, match="cancelled"):
            await talk.prompt("cancel")
        with pytest.raises(AcpError, match="session/prompt"):
            await talk.prompt("refuse")
        assert await talk.close() == 5


async def test_a_session_that_is_taken_up_again_repeats_nothing(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("x-1", "x", AGENT)
    async with agent_process([str(program)], tmp_path, {}, 60, asyncio.subprocess.PIPE) as process:
        talk = AcpSession(process, tmp_path)
        await talk.open("s-7")
        assert await talk.prompt("hello") == Heard("y-32601s-7", 1)


async def test_an_agent_that_goes_away_is_an_error(stand_in: StandIn, tmp_path: Path) -> None:
    program = stand_in("x-1", "x", "#!/bin/bash\nread -r line\n")
    async with agent_process([str(program)], tmp_path, {}, 60, asyncio.subprocess.PIPE) as process:
        with pytest.raises(AcpError, match="went away"):
            await AcpSession(process, tmp_path).open()


def test_the_words_behind_the_last_tool_are_the_last_words() -> None:
    said = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "I look."}}
    failed = {"sessionUpdate": "tool_call_update", "status": "failed", "rawOutput": "no such file"}
    assert listen([said, failed]) == Heard("", 1, ("no such file",))
    assert listen([failed, said, said]) == Heard("I look.I look.", 1, ("no such file",))
