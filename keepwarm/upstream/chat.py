"""The chat completions shape that most servers share: how prompts are written in it. Others compose this.

Source: the OpenAI API reference for chat completions, and what llama.cpp (`common/chat.cpp`) and vLLM take
besides: `reasoning_content` on assistant messages.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from keepwarm.core.prompt import (
    Block,
    Head,
    Media,
    Message,
    Opaque,
    Options,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
    Turn,
)

JOIN = "\n\n"
"""Between blocks that become one text."""
_encode = msgspec.json.encode


def system_text(blocks: tuple[SystemBlock, ...]) -> bytes:
    """The system prompt as one chat message, or b"" when there is none."""
    text = Head(blocks).text()
    return b'{"role":"system","content":' + _encode(text) + b"}" if text else b""


def tools_text(tools: tuple[Tool, ...]) -> bytes:
    """The tools as the elements of a JSON array, without its brackets. Tools that only the client's own
    provider could run are left out."""
    return b",".join(_tool(tool) for tool in tools if tool.schema)


def _tool(tool: Tool) -> bytes:
    parts = [b'{"type":"function","function":{"name":', _encode(tool.name)]
    if tool.description:
        parts += (b',"description":', _encode(tool.description))
    parts += (b',"parameters":', tool.schema, b"}}")
    return b"".join(parts)


def turn_text(turn: Turn, *, vision: bool = True) -> bytes:
    """A turn as chat messages: the elements of a JSON array, without its brackets.

    An assistant turn is one message. Of any other turn the tool results come first, each a message, then all
    words of the user as one message: templates that insist on alternating roles take it, and a later
    addition to the turn lengthens the text behind what was read instead of parting it. A turn in which
    nothing is said gives b"".
    """
    if turn.is_assistant:
        return b",".join(_assistant(message) for message in turn.messages)
    rows: list[bytes] = []
    words: list[Text | Media] = []
    for message in turn.messages:
        if message.role == "system":  # only where no rule has folded it
            _flush(rows, words)
            words.extend(part for block in message.blocks if (part := _part(block, vision)) is not None)
            _flush(rows, words, b"system")
            continue
        for block in message.blocks:
            if isinstance(block, ToolResult):
                rows.append(_result(block, words, vision))
            elif (part := _part(block, vision)) is not None:
                words.append(part)
    _flush(rows, words)
    return b",".join(rows)


def _flush(rows: list[bytes], words: list[Text | Media], role: bytes = b"user") -> None:
    if words:
        rows.append(b'{"role":"' + role + b'","content":' + _content(words) + b"}")
        words.clear()


def _assistant(message: Message) -> bytes:
    texts: list[str] = []
    thinking: list[str] = []
    calls: list[bytes] = []
    for block in message.blocks:
        match block:
            case Text(text):
                texts.append(text)
            case Thinking(text, _, redacted) if not redacted:
                thinking.append(text)
            case ToolUse():
                calls.append(_call(block))
            case Opaque(_, raw):
                texts.append(raw.decode("utf-8", "replace"))
            case _:
                pass
    parts = [b'{"role":"assistant","content":', _encode("".join(texts))]
    if any(thinking):
        parts += (b',"reasoning_content":', _encode("".join(thinking)))
    if calls:
        parts += (b',"tool_calls":[', b",".join(calls), b"]")
    parts.append(b"}")
    return b"".join(parts)


def _call(use: ToolUse) -> bytes:
    return b"".join(
        (
            b'{"id":',
            _encode(use.upstream_id or use.id),
            b',"type":"function","function":{"name":',
            _encode(use.name),
            b',"arguments":',
            _encode(use.arguments),
            b"}}",
        )
    )


def _result(result: ToolResult, words: list[Text | Media], vision: bool) -> bytes:
    texts: list[str] = []
    for block in result.content:
        part = _part(block, vision)
        if isinstance(part, Text):
            texts.append(part.text)
        elif part is not None:  # chat tool messages hold text only: the picture follows as the user's
            texts.append(f"[{part.kind}: it follows]")
            words.append(part)
    content = _encode(JOIN.join(texts))
    return b'{"role":"tool","tool_call_id":' + _encode(result.id) + b',"content":' + content + b"}"


def _part(block: Block, vision: bool) -> Text | Media | None:
    match block:
        case Text(text):
            return block if text else None
        case Media(kind="document", media_type="text/plain", data=data, is_url=False):
            return Text(data)
        case Media(kind="image") if vision:
            return block
        case Media(kind, media_type):
            return Text(f"[{kind} {media_type}: this server cannot read it]")
        case ToolReference(name):
            return Text(f"The tool {name} is available now.")
        case Opaque(_, raw):
            return Text(raw.decode("utf-8", "replace"))
        case _:
            return None


def _content(words: list[Text | Media]) -> bytes:
    if not any(isinstance(part, Media) for part in words):
        return _encode(JOIN.join(part.text for part in words if isinstance(part, Text)))
    parts: list[dict[str, object]] = []
    for part in words:
        if isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
        else:
            url = part.data if part.is_url else f"data:{part.media_type};base64,{part.data}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
    return _encode(parts)


def members(options: Options, model: str) -> list[bytes]:
    """What a request asks for, as members of the body's JSON object."""
    row: list[tuple[str, object]] = [("model", model or options.model)]
    simple = ("max_tokens", "temperature", "top_p", "top_k")
    row += [(name, value) for name in simple if (value := getattr(options, name)) is not None]
    if options.stop:
        row.append(("stop", options.stop))
    if options.tool_choice is not None:
        row.append(("tool_choice", _tool_choice(options.tool_choice)))
    if options.schema is not None:
        schema = {"name": "answer", "schema": msgspec.Raw(options.schema)}
        row.append(("response_format", {"type": "json_schema", "json_schema": schema}))
    return [pair(name, value) for name, value in row]


def _tool_choice(choice: str) -> object:
    if choice.startswith("tool:"):
        return {"type": "function", "function": {"name": choice.removeprefix("tool:")}}
    return "required" if choice == "any" else choice


def pair(name: str, value: object) -> bytes:
    """One member of a JSON object."""
    return _encode(name) + b":" + _encode(value)


def body(parts: Iterable[bytes], system: bytes, tools: bytes, chunks: Iterable[bytes]) -> bytes:
    """The whole body: members, then tools, then messages. What stands is joined, not written again.

    In one go: a long conversation is megabytes, and to copy it costs more than all that is decided about it.
    """
    pieces: list[bytes] = [b"{"]
    for part in parts:
        pieces += (part, b",")
    if tools:
        pieces += (b'"tools":[', tools, b"],")
    pieces.append(b'"messages":[')
    for message in (system, *chunks):
        if message:
            pieces += (message, b",")
    if pieces[-1] == b",":
        pieces.pop()
    pieces.append(b"]}")
    return b"".join(pieces)
