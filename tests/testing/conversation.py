"""A client of the scripted server that only appends, and the script it is answered from."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from keepwarm.testing.scripted import Answer, MarkerScript, ScriptedServer
from tests.testing.conftest import EngineFor

TOOL = {
    "type": "function",
    "function": {"name": "Bash", "description": "Runs.", "parameters": {"type": "object", "properties": {}}},
}
ARGUMENTS = json.dumps({"command": "cd /project && ls", "description": "look"})
SCRIPT = MarkerScript(
    {
        "loop": [
            Answer("I look.", thinking="Where am I?", tool_calls=(("Bash", ARGUMENTS), ("Bash", '{"command": "pwd"}'))),
            Answer(thinking="Again.", tool_calls=(("Bash", ARGUMENTS),)),
            Answer("All done.", thinking="That was it."),
        ]
    },
    default=Answer("Nothing to do."),
)
Json = dict[str, Any]


class Conversation:
    """A client that appends: what the server answered goes back as it came, tool results behind it."""

    def __init__(self, server: ScriptedServer, opening: str, **fields: Any) -> None:
        self.server = server
        self.fields: Json = {"tools": [TOOL], "stream": True, "stream_options": {"include_usage": True}, **fields}
        self.messages: list[Json] = [
            {"role": "system", "content": f"You are {opening}. " + "Be careful. " * 100},
            {"role": "user", "content": f"{opening}: SCRIPT loop"},
        ]

    async def turn(self) -> Json:
        """One request; the usage of its answer, which is put behind the messages with a result for each call."""
        message, usage = await ask(self.server, {"messages": self.messages, **self.fields})
        self.messages.append({"role": "assistant", **message})
        for call in message.get("tool_calls", []):
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": "some output"})
        if not message.get("tool_calls"):
            self.messages.append({"role": "user", "content": "and then?"})
        return usage


async def ask(server: ScriptedServer, body: Json) -> tuple[Json, Json]:
    """The message, put together from the stream if it is one, and the usage."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + "/v1/chat/completions", json=body) as answer,
    ):
        data = await answer.read()
        assert answer.status == 200, data
    if not body.get("stream"):
        whole = json.loads(data)
        return whole["choices"][0]["message"], whole["usage"]
    message: Json = {"content": ""}
    usage: Json = {}
    for line in data.split(b"\n\n"):
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        usage = chunk.get("usage", usage)
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                calls = message.setdefault("tool_calls", [])
                if call["index"] == len(calls):
                    calls.append(call)
                else:
                    calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
            for name in ("content", "reasoning_content"):
                message[name] = message.get(name, "") + (choice["delta"].get(name) or "")
    return message, usage


@asynccontextmanager
async def serving(
    engine_for: EngineFor, template: str = "qwen_like", slots: int = 2, *, generating: bool = False, **engine: Any
) -> AsyncIterator[ScriptedServer]:
    """A scripted server in front of an engine of `engine_for`."""
    engine_url = engine_for(template, slots, **engine).url
    async with ScriptedServer(engine_url, SCRIPT, generating=generating) as server:
        yield server
