"""A Messages request, bytes to values: POST /v1/messages and /v1/messages/count_tokens.

An agent sends its whole conversation each turn, so the hot path is one pass over the body that leaves every
message as the bytes it came in. `role`, `message` and `tool` read one of them when it is asked for: who has seen
those bytes before need not ask. Fields that are not known here are left alone, they pass where bytes pass.

Source: docs.anthropic.com, "Create a Message"; what clients really send is in their captured traffic.
"""

from __future__ import annotations

from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE, mended
from keepwarm.codec.lead import Cut
from keepwarm.codec.pieces import Pieces
from keepwarm.core.prompt import Options, SystemBlock
from keepwarm.wire.anthropic_blocks import message, role, tool
from keepwarm.wire.anthropic_errors import unreadable, wrong

__all__ = ["Parsed", "message", "parse", "role", "tool"]

_CHOICES: Final = ("auto", "any", "tool", "none")
_THINKS: Final = {"enabled": True, "adaptive": True, "disabled": False}


class Parsed(msgspec.Struct, frozen=True):
    """A request with its envelope read and its messages and tools unread."""

    options: Options
    system: tuple[SystemBlock, ...]
    tools_raw: Pieces
    """Each tool's own JSON text."""
    messages_raw: Pieces
    """Each message's own JSON text."""
    metadata_user_id: str
    """As the client wrote it; "" when it said none."""
    body: bytes
    """What was received; where it held half a surrogate pair (see `mended`), what it was read as."""
    leading: int = 0
    """No message of this protocol is the system prompt."""
    cache_key: str = ""
    """This protocol has none."""
    loading: tuple[tuple[str, bytes], ...] = ()
    """Nor does it say how a model is to be loaded."""

    @property
    def everything(self) -> Pieces:
        """The same: none stands in front."""
        return self.messages_raw


class _Metadata(msgspec.Struct, frozen=True):
    user_id: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct, frozen=True):
    type: str


class _Format(msgspec.Struct, frozen=True):
    type: str = ""
    schema: msgspec.Raw = msgspec.Raw()


class _Diagnostics(msgspec.Struct, frozen=True):
    previous_message_id: str | None = None


class _OutputConfig(msgspec.Struct, frozen=True):
    format: _Format | None = None


class _Envelope(msgspec.Struct, frozen=True):
    model: str
    messages: list[msgspec.Raw]
    system: msgspec.Raw = msgspec.Raw()
    tools: list[msgspec.Raw] | None = None
    metadata: _Metadata | None = None
    max_tokens: int | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: tuple[str, ...] | None = None
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    diagnostics: _Diagnostics | None = None


class _SystemText(msgspec.Struct, frozen=True):
    type: str
    text: str


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_SYSTEM_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SYSTEM_TEXT: Final = msgspec.json.Decoder(_SystemText)
_STRING: Final = msgspec.json.Decoder(str)


def parse(body: bytes, cut: Cut | None = None) -> Parsed:
    """The request that `body` holds, of which the leading messages of a `cut` are known.

    Raises BadJson with the JSON pointer of the fault in `path`. Messages and tools are only told apart here:
    what is wrong inside one is raised by `role`, `message` and `tool`.
    """
    try:
        said = _ENVELOPE.decode(body if cut is None else cut.rest)
    except UNREADABLE as error:
        if cut is not None:  # the fault is told by its place in the whole
            return parse(body)
        if (readable := mended(body)) != body:
            return parse(readable)
        raise unreadable(error) from error
    messages = Pieces(said.messages) if cut is None else cut.pieces(body, said.messages)
    if messages is None:
        return parse(body)
    if not messages:
        raise wrong("/messages", "at least one message is required")
    return Parsed(
        options=_options(said),
        system=_system(bytes(said.system)),
        tools_raw=Pieces(said.tools or ()),
        messages_raw=messages,
        metadata_user_id=(said.metadata and said.metadata.user_id) or "",
        body=body,
    )


def _options(said: _Envelope) -> Options:
    choice = said.tool_choice
    schema = said.output_config.format if said.output_config and said.output_config.format else said.output_format
    return Options(
        model=said.model,
        max_tokens=said.max_tokens,
        stream=bool(said.stream),
        temperature=said.temperature,
        top_p=said.top_p,
        top_k=said.top_k,
        stop=said.stop_sequences or (),
        tool_choice=None if choice is None else _choice(choice),
        parallel_tools=None
        if choice is None or choice.disable_parallel_tool_use is None
        else not choice.disable_parallel_tool_use,
        thinking=None if said.thinking is None else _THINKS.get(said.thinking.type),
        diagnose=None if said.diagnostics is None else said.diagnostics.previous_message_id or "",
        schema=bytes(schema.schema) or None if schema is not None and schema.type == "json_schema" else None,
    )


def _choice(choice: _Choice) -> str:
    if choice.type not in _CHOICES:
        words = ", ".join(f"'{word}'" for word in _CHOICES)
        raise wrong(
            "/tool_choice",
            f"Input tag '{choice.type}' found using 'type' does not match any of the expected tags: {words}",
        )
    if choice.type != "tool":
        return choice.type
    if not choice.name:
        raise wrong("/tool_choice/name", "Field required")
    return f"tool:{choice.name}"


def _system(raw: bytes) -> tuple[SystemBlock, ...]:
    """The system prompt's blocks; the string form is one block with index -1, an empty string is none."""
    if raw in (b"", b"null"):
        return ()
    try:
        str(raw, "utf-8")
        if raw.startswith(b'"'):
            text = _STRING.decode(raw)
            return (SystemBlock(text, -1, raw),) if text else ()
        blocks = _SYSTEM_LIST.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, "/system") from error
    return tuple([_system_block(bytes(block), index) for index, block in enumerate(blocks)])


def _system_block(raw: bytes, index: int) -> SystemBlock:
    try:
        block = _SYSTEM_TEXT.decode(raw)
    except UNREADABLE as error:
        raise unreadable(error, f"/system/{index}") from error
    if block.type != "text":
        raise wrong(f"/system/{index}/type", "Input should be 'text'")
    return SystemBlock(block.text, index, raw)
