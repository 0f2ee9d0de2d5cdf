"""A view as a chat completions body, the way agents write it that speak that protocol."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keepwarm.testing.scenarios.view import Call, Image, Json, Message, Part, Result, Text, Thinking, Tool, View
from keepwarm.testing.scenarios.written import Heard, Key, Written

PATH: Final = "/v1/chat/completions"


class _Writer:
    def __init__(self, heard: Heard) -> None:
        self.heard = heard
        self.things: dict[Key, str] = {}
        self.fields: dict[tuple[str, str, str], str] = {}
        self.messages: list[Json] = []

    @property
    def here(self) -> str:
        """The pointer of the message that comes next."""
        return f"/messages/{len(self.messages)}"

    def system(self, blocks: tuple[Text, ...]) -> None:
        for tag in ("", *(block.tag for block in blocks)):
            self.things["system", tag] = f"{self.here}/content"
        self.messages.append({"role": "system", "content": "\n\n".join(block.text for block in blocks)})

    def tools(self, tools: tuple[Tool, ...]) -> list[Json]:
        self.things["tool", ""] = "/tools"
        for at, tool in enumerate(tools):
            self.things["tool", tool.name] = f"/tools/{at}"
            self.fields["tool", tool.name, "description"] = f"/tools/{at}/function/description"
            self.fields["tool", tool.name, "schema"] = f"/tools/{at}/function/parameters"
        return [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in tools
        ]

    def message(self, message: Message) -> None:
        self.things["message", message.tag] = self.here
        if message.role == "assistant":
            self.things["end", message.tag] = self.here
            self.assistant(message)
            return
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, Result):
                self.things["part", part.tag] = self.here
                self.fields["part", part.tag, "words"] = f"{self.here}/content"
                self.messages.append({"role": "tool", "tool_call_id": self.heard.id(part.call), "content": part.text})
            else:
                rest.append(part)
        # Words stand in one message, each result in one of its own: what was behind it is another message now.
        self.things["end", message.tag] = self.here
        self.things["behind", message.tag] = f"/messages/{len(self.messages) - 1}"
        if rest:
            self.words(message, rest)

    def words(self, message: Message, parts: list[Part]) -> None:
        only = parts[0] if len(parts) == 1 else None
        if isinstance(only, Text) and not message.listed:
            self.things["part", only.tag] = f"{self.here}/content"
            self.messages.append({"role": message.role, "content": only.text})
            return
        content = [self.part(part, f"{self.here}/content/{at}") for at, part in enumerate(parts)]
        self.messages.append({"role": message.role, "content": content})

    def part(self, part: Part, own: str) -> Json:
        self.things["part", part.tag] = own
        if isinstance(part, Image):
            self.fields["part", part.tag, "words"] = f"{own}/image_url/url"
            return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{part.data}"}}
        assert isinstance(part, Text)
        self.fields["part", part.tag, "words"] = f"{own}/text"
        return {"type": "text", "text": part.text}

    def assistant(self, message: Message) -> None:
        own = self.here
        made: Json = {"role": "assistant", "content": ""}
        calls: list[Json] = []
        for at, part in enumerate(message.parts):
            # Where the reasoning is gone no member stands in its place: the place is the message.
            instead = at == 0 and not isinstance(part, Thinking)
            match part:
                case Text(text, tag):
                    self.things["part", tag] = own if instead else f"{own}/content"
                    self.fields["part", tag, "words"] = f"{own}/content"
                    made["content"] += text
                case Thinking(text, tag):
                    self.things["part", tag] = f"{own}/reasoning_content"
                    made["reasoning_content"] = text
                case Call(name, arguments, tag):
                    place = f"{own}/tool_calls/{len(calls)}"
                    self.things["part", tag] = own if instead else place
                    self.fields["part", tag, "words"] = f"{place}/function/arguments"
                    function = {"name": name, "arguments": arguments}
                    calls.append({"id": self.heard.id(tag), "type": "function", "function": function})
        if "reasoning_content" not in made:
            self.things["gone", f"{message.tag}.thinking"] = f"{own}/reasoning_content"
        if calls:
            made["tool_calls"] = calls
        self.messages.append(made)


def write(view: View, heard: Heard) -> Written:
    """The body for `view`."""
    writer = _Writer(heard)
    writer.things["model", ""] = "/model"
    writer.system(view.system)
    for message in view.messages:
        writer.message(message)
    body: dict[str, Any] = {"model": view.model, "messages": writer.messages}
    if view.tools:
        body["tools"] = writer.tools(view.tools)
    body |= {"max_tokens": 32_000, "stream": True, "stream_options": {"include_usage": True}}
    return Written(msgspec.json.encode(body), writer.things, writer.fields)
