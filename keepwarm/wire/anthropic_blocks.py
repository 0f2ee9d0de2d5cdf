"""Messages, their blocks and tools of a Messages request, each read from its own bytes when it is asked for.

A block of a type that is not known here becomes Opaque: it keeps its bytes and is never a reason to refuse. So do the
calls that the vendor's own server makes and answers (`server_tool_use`, `web_search_tool_result`): a call whose result
no other server could read would be a call without a result, which some of them refuse.
"""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never, get_args

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
)
from keepwarm.wire.anthropic_errors import unreadable, wrong

ROLES: Final = ("user", "assistant", "system")
_ROLE_HINT = "Input should be 'user', 'assistant' or 'system'"
# Clients write the role first: then it is told without reading the message.
_ROLE_FIRST: Final = tuple((f'{{"role":"{role}"'.encode(), role) for role in ROLES)

_Raw = msgspec.Raw
_NOTHING: Final = msgspec.Raw()


class _Role(msgspec.Struct, frozen=True):
    role: str


class _Message(msgspec.Struct, frozen=True):
    role: str
    content: _Raw


class _Type(msgspec.Struct, frozen=True):
    type: str


class _Text(msgspec.Struct, frozen=True, tag="text"):
    text: str


class _Image(msgspec.Struct, frozen=True, tag="image"):
    source: _Raw


class _Document(msgspec.Struct, frozen=True, tag="document"):
    source: _Raw
    title: str | None = None
    context: str | None = None


class _Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    thinking: str
    signature: str | None = None


class _Redacted(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    data: str


class _ToolUse(msgspec.Struct, frozen=True, tag="tool_use"):
    id: str
    name: str
    input: _Raw


class _ToolResult(msgspec.Struct, frozen=True, tag="tool_result"):
    tool_use_id: str
    content: _Raw = _NOTHING
    is_error: bool | None = None


class _ToolReference(msgspec.Struct, frozen=True, tag="tool_reference"):
    tool_name: str


class _SearchResult(msgspec.Struct, frozen=True, tag="search_result"):
    source: str
    title: str
    content: list[_Text]


class _Source(msgspec.Struct, frozen=True):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""
    content: str | list[_Raw] = ""


class _Tool(msgspec.Struct, frozen=True):
    name: str
    type: str | None = None
    description: str | None = None
    input_schema: _Raw = _NOTHING
    defer_loading: bool | None = None


_Known: TypeAlias = (
    _Text | _Image | _Document | _Thinking | _Redacted | _ToolUse | _ToolResult | _ToolReference | _SearchResult
)
_KNOWN: Final = msgspec.json.Decoder(_Known)
_KNOWN_TYPES: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(_Known))
_TYPE: Final = msgspec.json.Decoder(_Type)
_ROLE: Final = msgspec.json.Decoder(_Role)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_LIST: Final = msgspec.json.Decoder(list[_Raw])
_STRING: Final = msgspec.json.Decoder(str)
_SOURCE: Final = msgspec.json.Decoder(_Source)
_TOOL: Final = msgspec.json.Decoder(_Tool)
_OBJECT: Final = msgspec.json.Decoder(dict[str, _Raw])


def role(raw: bytes, index: int = -1) -> str:
    """The role of a message: "user", "assistant" or "system". `index` is for the wording of BadJson."""
    for beginning, first in _ROLE_FIRST:
        if raw.startswith(beginning):
            return first
    path = f"/messages/{index}" if index >= 0 else "/messages"
    try:
        said = _ROLE.decode(raw).role
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    if said not in ROLES:
        raise wrong(f"{path}/role", _ROLE_HINT)
    return said


def message(raw: bytes, index: int) -> Message:
    """The message that `raw` holds, `index` being its place in the client's list. Raises BadJson."""
    path = f"/messages/{index}"
    try:
        str(raw, "utf-8")  # what stays raw (arguments, unknown blocks) is read by nobody else here
        said = _MESSAGE.decode(raw)
        if said.role != role(raw, index):
            raise wrong(f"{path}/role", "is said twice")
        content = bytes(said.content)
        if content.startswith(b'"'):
            blocks: tuple[Block, ...] = (Text(_STRING.decode(content), content),)
        else:
            blocks = _blocks(content, f"{path}/content")
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    return Message(said.role, blocks, index, raw)


def tool(raw: bytes, index: int) -> Tool:
    """The tool that `raw` holds, `index` being its place in the client's list. Raises BadJson.

    A tool with a `type` of its own ("web_search_20250305") is the server's: it has no schema.
    """
    path = f"/tools/{index}"
    try:
        str(raw, "utf-8")
        said = _TOOL.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    schema = b""
    if said.type in (None, "custom"):
        schema = bytes(said.input_schema)
        if not schema:
            raise wrong(f"{path}/input_schema", "Field required")
        _must_be_object(schema, f"{path}/input_schema")
    return Tool(said.name, said.description or "", schema, index, bool(said.defer_loading), raw)


def _blocks(raw: bytes, path: str) -> tuple[Block, ...]:
    try:
        pieces = _LIST.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    return tuple([_block(bytes(piece), f"{path}/{place}") for place, piece in enumerate(pieces)])


def _block(raw: bytes, path: str) -> Block:
    try:
        said = _KNOWN.decode(raw)
    except msgspec.ValidationError as error:
        return _unknown(raw, path, error)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
    match said:
        case _Text(text):
            return Text(text, raw)
        case _Thinking(thinking, signature):
            return Thinking(thinking, signature or "", raw=raw)
        case _Redacted(data):
            return Thinking("", data, redacted=True, raw=raw)
        case _ToolUse(id, name, arguments):
            _must_be_object(bytes(arguments), f"{path}/input")
            return ToolUse(id, name, str(bytes(arguments), "utf-8"), raw=raw)
        case _ToolResult(id, content, is_error):
            return ToolResult(id, _result_content(bytes(content), f"{path}/content"), bool(is_error), raw)
        case _ToolReference(name):
            return ToolReference(name, raw)
        case _Image(source):
            return _media("image", bytes(source), raw, path)
        case _Document(source, title, context):
            return _media("document", bytes(source), raw, path, tuple(part for part in (title, context) if part))
        case _SearchResult(source_name, title, texts):
            return Text("\n".join([title, source_name, *(part.text for part in texts)]), raw)
        case _:
            assert_never(said)


def _unknown(raw: bytes, path: str, error: msgspec.ValidationError) -> Opaque:
    """A block of an unknown type; raises BadJson for one of a known type that is not as it should be."""
    try:
        kind = _TYPE.decode(raw).type
    except UNREADABLE as fault:
        raise unreadable(fault, path) from fault
    if kind in _KNOWN_TYPES:
        raise unreadable(error, path) from error
    return Opaque(kind, raw)


def _result_content(raw: bytes, path: str) -> tuple[Text | Media | ToolReference | Opaque, ...]:
    if raw in (b"", b"null"):
        return ()
    if raw.startswith(b'"'):
        try:
            return (Text(_STRING.decode(raw), raw),)
        except UNREADABLE as error:
            raise unreadable(error, path) from error
    parts: list[Text | Media | ToolReference | Opaque] = []
    for block in _blocks(raw, path):
        if isinstance(block, Text | Media | ToolReference | Opaque):
            parts.append(block)
        else:  # a call inside a result: no protocol has it, and nothing is thrown away
            parts.append(Opaque(_TYPE.decode(block.raw).type, block.raw))
    return tuple(parts)


def _media(kind: str, source: bytes, raw: bytes, path: str, heading: tuple[str, ...] = ()) -> Media | Opaque:
    """An image or a document. One that only the vendor's file store holds stays Opaque."""
    try:
        said = _SOURCE.decode(source)
    except UNREADABLE as error:
        raise unreadable(error, f"{path}/source") from error
    match said.type:
        case "base64":
            return Media(kind, said.media_type, said.data, raw=raw)
        case "url":
            return Media(kind, said.media_type, said.url, is_url=True, raw=raw)
        case "text":
            return Media(kind, "text/plain", "\n\n".join([*heading, said.data]), raw=raw)
        case "content":
            words = _words(said.content, f"{path}/source/content")
            if words is None:
                return Opaque(kind, raw)
            return Media(kind, "text/plain", "\n\n".join([*heading, *words]), raw=raw)
        case _:
            return Opaque(kind, raw)


def _words(content: str | list[_Raw], path: str) -> list[str] | None:
    """The words of a document given as content; None when it holds more than words."""
    if isinstance(content, str):
        return [content]
    blocks = [_block(bytes(piece), f"{path}/{place}") for place, piece in enumerate(content)]
    words = [block.text for block in blocks if isinstance(block, Text)]
    return words if len(words) == len(blocks) else None


def _must_be_object(raw: bytes, path: str) -> None:
    try:
        _OBJECT.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, path) from error
