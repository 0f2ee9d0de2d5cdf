"""A view as an Anthropic Messages body."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keepwarm.testing.scenarios.view import Call, Image, Json, Message, Part, Result, Text, Thinking, Tool, View
from keepwarm.testing.scenarios.written import Heard, Key, Written

PATH: Final = "/v1/messages?beta=true"
_MARK: Final = {"type": "ephemeral"}


class _Writer:
    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self.things: dict[Key, str] = {}
        self.fields: dict[tuple[str, str, str], str] = {}

    def system(self, blocks: tuple[Text, ...]) -> list[Json]:
        self.things["system", ""] = "/system"
        for at, block in enumerate(blocks):
            self.things["system", block.tag] = f"/system/{at}"
            self.fields["system", block.tag, "words"] = f"/system/{at}/text"
        return [{"type": "text", "text": block.text} for block in blocks]

    def tools(self, tools: tuple[Tool, ...]) -> list[Json]:
        self.things["tool", ""] = "/tools"
        for at, tool in enumerate(tools):
            self.things["tool", tool.name] = f"/tools/{at}"
            self.fields["tool", tool.name, "description"] = f"/tools/{at}/description"
            self.fields["tool", tool.name, "schema"] = f"/tools/{at}/input_schema"
        return [{"name": tool.name, "description": tool.description, "input_schema": tool.schema} for tool in tools]

    def message(self, message: Message, at: int) -> Json:
        own = f"/messages/{at}"
        self.things["message", message.tag] = self.things["end", message.tag] = own
        only = message.parts[0] if len(message.parts) == 1 else None
        if isinstance(only, Text) and not (message.listed or message.marked):
            self.things["part", only.tag] = f"{own}/content"
            return {"role": message.role, "content": only.text}
        content = [self.part(part, f"{own}/content/{place}") for place, part in enumerate(message.parts)]
        if message.marked and content:
            content[-1]["cache_control"] = _MARK
        return {"role": message.role, "content": content}

    def part(self, part: Part, own: str) -> Json:
        self.things["part", part.tag] = own
        made, field = self._part(part)
        self.fields["part", part.tag, "words"] = f"{own}/{field}"
        return made

    def _part(self, part: Part) -> tuple[Json, str]:
        match part:
            case Text(text):
                return {"type": "text", "text": text}, "text"
            case Thinking(text, tag):
                signature = self.heard.signatures.get(tag, "none")
                return {"type": "thinking", "thinking": text, "signature": signature}, "thinking"
            case Call(name, arguments, tag):
                # The text as it stands: a client that keeps it as it was generated breaks nothing.
                given = msgspec.Raw(arguments.encode())
                return {"type": "tool_use", "id": self.heard.id(tag), "name": name, "input": given}, "input"
            case Result(call, text):
                return {"type": "tool_result", "tool_use_id": self.heard.id(call), "content": text}, "content"
            case Image(data):
                source = {"type": "base64", "media_type": "image/png", "data": data}
                return {"type": "image", "source": source}, "source/data"


def write(view: View, heard: Heard, user_id: str = "") -> Written:
    """The body for `view`; `user_id` as Claude Code says it in `metadata`."""
    writer = _Writer(heard)
    writer.things["model", ""] = "/model"
    body: dict[str, Any] = {"model": view.model}
    # As Claude Code writes it: what is read last comes first.
    body["messages"] = [writer.message(message, at) for at, message in enumerate(view.messages)]
    body["system"] = writer.system(view.system)
    if view.tools:
        body["tools"] = writer.tools(view.tools)
    if user_id:
        body["metadata"] = {"user_id": user_id}
    body["max_tokens"] = 32_000
    body["thinking"] = {"type": "enabled", "budget_tokens": 16_000}
    body["stream"] = True
    return Written(msgspec.json.encode(body), writer.things, writer.fields)
