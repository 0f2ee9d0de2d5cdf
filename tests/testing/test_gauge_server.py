"""The MCP server: as a client sees it, over its stdin and stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from keepwarm.testing import gauge_server
from keepwarm.testing.gauge_server import READING, GaugeServer

INITIALIZE = {"id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
CALL = {"id": 2, "method": "tools/call", "params": {"name": "read_gauge", "arguments": {"name": "north"}}}
LIST = {"id": 1, "method": "tools/list"}


def names(answers: list[dict[str, Any]]) -> list[str]:
    return [tool["name"] for tool in answers[-1]["result"]["tools"]]


def test_it_agrees_to_the_clients_version_and_says_that_its_tools_may_change() -> None:
    (answer,) = GaugeServer().answers(INITIALIZE)
    assert answer["id"] == 0
    assert answer["result"]["protocolVersion"] == "2025-06-18"
    assert answer["result"]["capabilities"] == {"tools": {"listChanged": True}}


def test_the_second_tool_comes_with_the_first_call_and_is_announced_once() -> None:
    server = GaugeServer()
    assert names(server.answers(LIST)) == ["read_gauge"]
    told, answer = server.answers(CALL)
    assert told == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    assert answer["result"] == {"content": [{"type": "text", "text": READING}]}
    assert names(server.answers(LIST)) == ["read_gauge", "reset_gauge"]
    assert len(server.answers(CALL)) == 1


def test_notifications_are_not_answered_and_what_is_not_known_is_nothing() -> None:
    assert GaugeServer().answers({"method": "notifications/initialized"}) == []
    assert GaugeServer().answers({"id": 5, "method": "ping"})[0]["result"] == {}


def test_it_runs_by_itself() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", gauge_server.__file__],
        input="".join(json.dumps(one) + "\n" for one in (INITIALIZE, LIST)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line)["id"] for line in ran.stdout.splitlines()] == [0, 1]
