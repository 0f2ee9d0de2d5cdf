"""A conversation through the official client: what was answered goes back as the client has it, results behind it."""

from __future__ import annotations

import json
from typing import Any

import anthropic
from anthropic.types import Message

from keepwarm.shell.app import Gateway
from keepwarm.testing.answers import Answer, MarkerScript

TOOL = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
COMMAND = json.dumps({"timeout": 5000, "command": "cd /project && ls", "note": "größer"}, ensure_ascii=False)
LOOP = (
    Answer("I look.", thinking="Where am I?", tool_calls=(("Bash", COMMAND), ("Bash", '{"command": "pwd"}'))),
    Answer(thinking="Again.", tool_calls=(("Bash", COMMAND),)),
    Answer("All done.", thinking="That was it."),
)
SCRIPT = MarkerScript({"loop": LOOP}, default=Answer("Nothing to do."))


def client_of(gateway: Gateway) -> anthropic.AsyncAnthropic:
    """The official client, pointed at `gateway`; it does not try again by itself."""
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key="dummy", max_retries=0)


class Talk:
    """A client that only appends."""

    def __init__(self, client: anthropic.AsyncAnthropic, name: str, *, stream: bool = True, **fields: Any) -> None:
        self._client = client
        self._stream = stream
        self._fields: dict[str, Any] = {
            "model": "local",
            "max_tokens": 4000,
            "system": [{"type": "text", "text": f"You are {name}. " + "Be careful. " * 100}],
            "tools": [TOOL],
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "extra_headers": {"x-claude-code-session-id": name},
            **fields,
        }
        self.messages: list[Any] = [{"role": "user", "content": f"{name}: SCRIPT loop"}]

    def tools(self, tools: list[Any]) -> None:
        """What it offers from now on."""
        self._fields["tools"] = tools

    async def turn(self) -> Message:
        """One request; its answer, which is put behind the messages with a result for each call."""
        if self._stream:
            async with self._client.messages.stream(messages=self.messages, **self._fields) as stream:
                answer: Message = await stream.get_final_message()
        else:
            answer = await self._client.messages.create(messages=self.messages, **self._fields)
        self.messages.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "some output"} for call in calls]
        self.messages.append({"role": "user", "content": results or "And then?"})
        return answer
