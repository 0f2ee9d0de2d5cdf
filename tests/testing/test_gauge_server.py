"""An MCP server whose second tool comes late."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from keepwarm.testing import gauge_server
from keepwarm.testing.gauge_server import READING, GaugeServer


def ask(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def names(server: GaugeServer) -> list[str]:
    (reply,) = server.answers(ask("tools/list"))
    return [tool["name"] for tool in reply["result"]["tools"]]


def test_the_second_tool_is_told_of_and_offered_once_the_first_was_called() -> None:
    server = GaugeServer()
    assert names(server) == ["read_gauge"]
    told, reply = server.answers(ask("tools/call", name="read_gauge"))
    assert told == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    assert reply["result"]["content"] == [{"type": "text", "text": READING}]
    assert names(server) == ["read_gauge", "reset_gauge"]
    assert len(server.answers(ask("tools/call", name="read_gauge"))) == 1


def test_notifications_are_not_answered() -> None:
    assert GaugeServer().answers({"jsonrpc": "2.0", "method": "notifications/initialized"}) == []


def test_as_a_program_it_speaks_line_by_line() -> None:
    said = "\n".join(json.dumps(ask(method, protocolVersion="2025-06-18")) for method in ("initialize", "tools/list"))
    program = [sys.executable, gauge_server.__file__]
    run = subprocess.run(
        program,
        input=said + "\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    first, second = map(json.loads, run.stdout.splitlines())
    assert first["result"]["protocolVersion"] == "2025-06-18"
    assert len(second["result"]["tools"]) == 1
