"""An MCP server over stdio for clients under test: `python gauge_server.py`.

It offers one tool, and a second one as soon as the first has been called: then it says `tools/list_changed`, and the
client has a late tool. Nothing but the standard library, so that it starts at once wherever the client starts it.
Source: modelcontextprotocol.io, 2025-06-18.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

Json = dict[str, Any]
READING: Final = "The gauge stands at 7 bar."
_SCHEMA: Final = {
    "type": "object",
    "properties": {"name": {"type": "string", "description": "The gauge's name, as it is painted on the pipe."}},
    "required": ["name"],
}
TOOLS: Final = (
    {
        "name": "read_gauge",
        "description": "Reads a pressure gauge of the pump house. The answer is in bar.",
        "inputSchema": _SCHEMA,
    },
    {
        "name": "reset_gauge",
        "description": "Sets a pressure gauge of the pump house to zero, after it was read.",
        "inputSchema": _SCHEMA,
    },
)


class GaugeServer:
    """What one client sees."""

    def __init__(self) -> None:
        self._offered = 1

    def answers(self, request: Json) -> list[Json]:
        """What goes back for one JSON-RPC message: notifications first, then the response to a request."""
        if "id" not in request:
            return []
        result: Json = {}
        told: list[Json] = []
        match request["method"]:
            case "initialize":
                result = {
                    "protocolVersion": request["params"]["protocolVersion"],
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": "gauges", "version": "1"},
                }
            case "tools/list":
                result = {"tools": list(TOOLS[: self._offered])}
            case "tools/call":
                if self._offered < len(TOOLS):
                    self._offered = len(TOOLS)
                    told = [{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}]
                result = {"content": [{"type": "text", "text": READING}]}
        return [*told, {"jsonrpc": "2.0", "id": request["id"], "result": result}]


def main() -> None:
    """Serve until the client closes its end."""
    server = GaugeServer()
    for line in sys.stdin:
        for reply in server.answers(json.loads(line)):
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
