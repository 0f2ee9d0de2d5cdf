"""Tools that vLLM's model can call and its chat template does not print (seen on vLLM 0.32).

`chat_template_kwargs` may hold `tools`: the template then prints those, while `tools` of the request itself still makes
the grammar and the parser of calls (renderers/params.py, where what a request says is laid over vLLM's own values).
They are printed as they come, so they are written as vLLM writes those of `tools`: with what is not said as null.

A renderer that has no template does not read it: nobody is sent any who has not been seen to heed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.codec.splice import members, with_member
from keepwarm.upstream.api import Outgoing
from keepwarm.upstream.switches import MEMBER

_NULL: Final = msgspec.Raw(b"null")


def printed_chat(tools: bytes) -> bytes:
    """The member `tools` of a chat body as vLLM gives it to a template; what is no tool stays as it is."""
    return _each(tools, _of_chat)


def printed_messages(tools: bytes) -> bytes:
    """The member `tools` of a Messages body as vLLM gives it to a template; what is no tool stays as it is."""
    return _each(tools, _of_messages)


def questions(headers: tuple[tuple[str, str], ...] = ()) -> tuple[Outgoing, Outgoing, Outgoing]:
    """Ask how long a prompt is with one tool, with two, and with two of which one is to be printed."""
    one, two = ([_tool(name) for name in names] for names in (("first",), ("first", "second")))
    chat = {"messages": [{"role": "user", "content": "Count."}]}
    told = {MEMBER: {"tools": msgspec.Raw(printed_chat(msgspec.json.encode(one)))}}
    sent = (("content-type", "application/json"), *headers)
    bodies = ({**chat, "tools": one}, {**chat, "tools": two}, {**chat, "tools": two, **told})
    first, second, third = (Outgoing("/tokenize", msgspec.json.encode(body), sent) for body in bodies)
    return first, second, third


def is_heeded(one: int, two: int, told: int) -> bool:
    """Whether the answers, tokens each and 0 where there is none, show that vLLM prints what it is told to."""
    return 0 < one == told < two


def _each(tools: bytes, write: Callable[[bytes], bytes]) -> bytes:
    rows = msgspec.json.decode(tools, type=list[msgspec.Raw]) if tools else []
    return b"[" + b",".join(write(bytes(row)) for row in rows) + b"]"


def _of_chat(tool: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(tool, type=_Tool))
    except UNREADABLE:
        return tool


def _of_messages(tool: bytes) -> bytes:
    try:
        said = msgspec.json.decode(tool, type=_MessagesTool)
    except UNREADABLE:
        return tool
    schema = bytes(said.input_schema)
    if "type" not in members(schema):
        schema = with_member(schema, "type", b'"object"')
    function = _Function(said.name, said.description, msgspec.Raw(schema), said.strict, said.defer_loading)
    return msgspec.json.encode(_Tool(function))


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": f"The {name} one.", "parameters": schema}}


class _Function(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = _NULL
    strict: bool | msgspec.UnsetType | None = msgspec.UNSET
    defer_loading: bool | msgspec.UnsetType | None = msgspec.UNSET

    def __post_init__(self) -> None:
        for name in ("strict", "defer_loading"):
            if getattr(self, name) is None:  # vLLM leaves these out
                msgspec.structs.force_setattr(self, name, msgspec.UNSET)


class _Tool(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    function: _Function
    defer_loading: bool | msgspec.UnsetType = msgspec.UNSET


class _MessagesTool(msgspec.Struct, frozen=True):
    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    strict: bool | None = None
    defer_loading: bool | None = None
