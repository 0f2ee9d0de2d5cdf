"""Messages and tools of a chat completions request, each read from its own bytes when it is asked for.

One message is one of these, in the order of its blocks:

    user, system     the text or the parts of `content`
    assistant        reasoning, `content`, its calls; a call of another type than a function's is Opaque
    tool             one ToolResult; what `content` says is its content

A member that is not known here (`name`, a legacy `function_call`) is Opaque with the kind "member NAME", in front of
these: it is part of what tells two messages apart, and it stays where it is. An empty `content` is no block, null or
"" alike.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.prompt import Block, Media, Message, Opaque, Text, Thinking, Tool, ToolResult, ToolUse
from keepwarm.wire.openai_errors import missing, unreadable, wrong

MEMBER: Final = "member "
"""With this begins the kind of an Opaque block that stands for a member of the message and not for content."""
_SYSTEM_ROLES: Final = ("system", "developer")
# Clients write the role first: then it is told without reading the message.
_ROLE_FIRST: Final = tuple(
    (f'{{"role":{space}"{role}"'.encode(), role)
    for role in ("user", "assistant", "tool", "system", "developer")
    for space in ("", " ")
)
_REASONING: Final = ("reasoning_content", "reasoning")
# Reasoning in other shapes says nothing here, as in `core.digest.of_block`; cache marks are not for the model.
_SILENT: Final = frozenset({"role", "content", "tool_calls", "tool_call_id", "cache_control", "reasoning_details",
                            "thinking_blocks", "annotations", *_REASONING})  # fmt: skip
_EMPTY: Final = frozenset({b"null", b'""', b"[]", b"{}"})
_CALL_KIND: Final = "call "
"""And with this that of a tool call which is no function's."""
_BLOCK: Final = re.compile(r"/messages/(\d+)/content/(\d+)(?:/input)?")
_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,", re.IGNORECASE)

_Raw = msgspec.Raw
_NOTHING: Final = msgspec.Raw()


class _Role(msgspec.Struct, frozen=True):
    role: str


class _Type(msgspec.Struct, frozen=True):
    type: str = ""


class _Text(msgspec.Struct, frozen=True):
    text: str


class _Url(msgspec.Struct, frozen=True):
    url: str


class _Image(msgspec.Struct, frozen=True):
    image_url: _Url | str


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: _Raw = _NOTHING


class _Call(msgspec.Struct, frozen=True):
    function: _Function | None = None
    id: str | None = None
    type: str | None = None


class _Definition(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: _Raw = _NOTHING


class _Tool(msgspec.Struct, frozen=True):
    function: _Definition | None = None
    type: str | None = None
    name: str | None = None


_ROLE: Final = msgspec.json.Decoder(_Role)
_TYPE: Final = msgspec.json.Decoder(_Type)
_TEXT: Final = msgspec.json.Decoder(_Text)
_IMAGE: Final = msgspec.json.Decoder(_Image)
_CALL: Final = msgspec.json.Decoder(_Call)
_TOOL: Final = msgspec.json.Decoder(_Tool)
_LIST: Final = msgspec.json.Decoder(list[_Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, _Raw])
_STRING: Final = msgspec.json.Decoder(str)


def is_system(role: str) -> bool:
    """Whether a role is the one of those who gave the agent its orders."""
    return role in _SYSTEM_ROLES


def role(raw: bytes, index: int = -1) -> str:
    """The role of a message as the client wrote it. `index` is for the wording of BadJson."""
    for beginning, first in _ROLE_FIRST:
        if raw.startswith(beginning):
            return first
    try:
        return _ROLE.decode(raw).role
    except UNREADABLE as error:
        raise unreadable(error, f"/messages/{index}" if index >= 0 else "/messages") from error


def message(raw: bytes, index: int) -> Message:
    """The message that `raw` holds, `index` being its place in the client's list. Raises BadJson.

    A developer's message is a system message: it has its own word in the bytes only.
    """
    path = f"/messages/{index}"
    said = role(raw, index)
    try:
        str(raw, "utf-8")  # what stays raw (arguments, unknown parts) is read by nobody else here
        fields = {name: bytes(value) for name, value in _OBJECT.decode(raw).items()}
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    if fields["role"] != msgspec.json.encode(said) and _string(fields["role"], f"{path}/role") != said:
        raise wrong(f"{path}/role", "it is said twice")
    content = _content(fields.get("content", b"null"), f"{path}/content")
    blocks: tuple[Block, ...]
    if said == "tool":
        if "tool_call_id" not in fields:
            raise missing(f"{path}/tool_call_id")
        blocks = (ToolResult(_string(fields["tool_call_id"], f"{path}/tool_call_id"), content, raw=raw),)
    elif said == "assistant":
        blocks = (*_thinking(fields), *content, *_calls(fields.get("tool_calls", b"null"), f"{path}/tool_calls"))
    else:
        blocks = content
    others = tuple(
        Opaque(MEMBER + name, value) for name, value in fields.items() if name not in _SILENT and value not in _EMPTY
    )
    # In front: what a rule puts behind the last block is meant for what was said.
    return Message("system" if is_system(said) else said, (*others, *blocks), index, raw)


def tool(raw: bytes, index: int) -> Tool:
    """The tool that `raw` holds, `index` being its place in the client's list. Raises BadJson.

    A tool that is no function keeps its whole text as its schema: it is only ever told from others.
    """
    path = f"/tools/{index}"
    try:
        str(raw, "utf-8")
        said = _TOOL.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    if said.function is None:
        if not (kind := said.name or said.type):
            raise missing(f"{path}/type")
        return Tool(kind, "", raw, index, raw=raw)
    function = said.function
    return Tool(function.name, function.description or "", bytes(function.parameters), index, raw=raw)


def _content(raw: bytes, path: str) -> tuple[Text | Media | Opaque, ...]:
    if raw in (b"null", b'""'):
        return ()
    if raw.startswith(b'"'):
        return (Text(_string(raw, path), raw),)
    try:
        parts = _LIST.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    return tuple([_part(bytes(part), f"{path}/{place}") for place, part in enumerate(parts)])


def _part(raw: bytes, path: str) -> Text | Media | Opaque:
    if raw.startswith(b'"'):  # a bare string among parts, which some servers take
        return Text(_string(raw, path), raw)
    try:
        kind = _TYPE.decode(raw).type
        if kind == "text":
            return Text(_TEXT.decode(raw).text, raw)
        if kind == "image_url":
            image = _IMAGE.decode(raw).image_url
            return _image(image if isinstance(image, str) else image.url, raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    return Opaque(kind, raw)


def _image(url: str, raw: bytes) -> Media:
    if (data := _DATA_URL.match(url)) is not None:
        return Media("image", data.group(1).lower(), url[data.end() :], raw=raw)
    return Media("image", "", url, is_url=True, raw=raw)


def _thinking(fields: dict[str, bytes]) -> tuple[Thinking, ...]:
    """Reasoning, under whichever name it came: a client that says both says the same twice."""
    said = [value for name in _REASONING if (value := fields.get(name, b"")).startswith(b'"')]
    value = next((one for one in said if one != b'""'), said[0] if said else b"")
    return (Thinking(_string(value, "reasoning_content"), raw=value),) if value else ()


def _calls(raw: bytes, path: str) -> tuple[ToolUse | Opaque, ...]:
    if raw == b"null":
        return ()
    try:
        pieces = _LIST.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    return tuple([_call(bytes(piece), f"{path}/{place}") for place, piece in enumerate(pieces)])


def _call(raw: bytes, path: str) -> ToolUse | Opaque:
    try:
        said = _CALL.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    if said.function is None:
        return Opaque(f"{_CALL_KIND}{said.type or ''}", raw)
    arguments = bytes(said.function.arguments)
    # The API has a string here; Ollama's clients write the object itself.
    is_text = arguments.startswith(b'"')
    text = _string(arguments, f"{path}/function/arguments") if is_text else str(arguments, "utf-8")
    return ToolUse(said.id or "", said.function.name, text, raw=raw)


def _string(raw: bytes, path: str) -> str:
    try:
        return _STRING.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error


def pointer(message: Message, place: int) -> str:
    """JSON pointer to a block below its message: "/content", "/content/1", "/tool_calls/0/function/arguments"."""
    block = message.blocks[place]
    before = message.blocks[:place]
    match block:
        case ToolUse():
            return f"/tool_calls/{sum(map(_is_call, before))}/function/arguments"
        case Opaque(kind) if _is_member(block):
            return f"/{kind.removeprefix(MEMBER)}"
        case Opaque() if _is_call(block):
            return f"/tool_calls/{sum(map(_is_call, before))}"
        case Thinking():
            return "/reasoning_content"
        case ToolResult():
            return "/content"
        case _ if block.raw.startswith(b'"') or not block.raw:
            return "/content"
        case _:
            return f"/content/{sum(not isinstance(one, Thinking) and not _is_member(one) for one in before)}"


def place(path: str, message: Message) -> str:
    """What a rule names by its block ("/messages/3/content/1", "../1/input" for a call) as this protocol has it."""
    found = _BLOCK.fullmatch(path)
    if found is None or int(found.group(2)) >= len(message.blocks):
        return path
    return f"/messages/{found.group(1)}{pointer(message, int(found.group(2)))}"


def _is_member(block: Block) -> bool:
    return isinstance(block, Opaque) and block.kind.startswith(MEMBER)


def _is_call(block: Block) -> bool:
    return isinstance(block, ToolUse) or (isinstance(block, Opaque) and block.kind.startswith(_CALL_KIND))
