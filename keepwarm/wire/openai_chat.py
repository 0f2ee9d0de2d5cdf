"""A chat completions request, bytes to values: POST /v1/chat/completions.

The hot path is one pass over the body that leaves every message as the bytes it came in. The messages of the system
and the developer at the front are the system prompt; those further on are messages like others. A request is refused
only where it cannot be read at all: what else may be wrong with it the server says, which gets the client's own bytes.

Source: the OpenAI API reference, "Create chat completion"; llama.cpp's and vLLM's additions pass as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from keepwarm.codec.json_text import UNREADABLE, mended
from keepwarm.codec.lead import Cut
from keepwarm.codec.pieces import Pieces
from keepwarm.core.prompt import Options, SystemBlock
from keepwarm.wire.openai_errors import missing, unreadable
from keepwarm.wire.openai_messages import is_system, message, role, tool

__all__ = ["Parsed", "message", "parse", "role", "tool"]

T = TypeVar("T")
_Raw = msgspec.Raw
_NOTHING: Final = msgspec.Raw()


class Parsed(msgspec.Struct, frozen=True):
    """A request with its envelope read and its messages and tools unread."""

    options: Options
    system: tuple[SystemBlock, ...]
    """The words of the leading system and developer messages; each block's `raw` is its whole message."""
    tools_raw: Pieces
    """Each tool's own JSON text."""
    messages_raw: Pieces
    """The JSON text of each message behind those."""
    leading: int
    """How many stand in front."""
    everything: Pieces
    """The JSON text of each message, the leading ones too."""
    cache_key: str
    """`prompt_cache_key`; "" when the client said none."""
    user: str
    loading: tuple[tuple[str, bytes], ...]
    """`keep_alive`, `options` and `shift`, where they are said."""
    body: bytes
    """What was received; where it held half a surrogate pair (see `mended`), what it was read as."""


class _Envelope(msgspec.Struct, frozen=True):
    messages: list[_Raw]
    model: str | None = None
    tools: list[_Raw] | None = None
    stream: bool | None = None
    # Of no matter here: what of it cannot be read is not said.
    stream_options: _Raw = _NOTHING
    max_tokens: _Raw = _NOTHING
    max_completion_tokens: _Raw = _NOTHING
    temperature: _Raw = _NOTHING
    top_p: _Raw = _NOTHING
    top_k: _Raw = _NOTHING
    stop: _Raw = _NOTHING
    tool_choice: _Raw = _NOTHING
    parallel_tool_calls: _Raw = _NOTHING
    response_format: _Raw = _NOTHING
    chat_template_kwargs: _Raw = _NOTHING
    prompt_cache_key: _Raw = _NOTHING
    user: _Raw = _NOTHING
    keep_alive: _Raw = _NOTHING
    options: _Raw = _NOTHING
    shift: _Raw = _NOTHING


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool = False


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Choice(msgspec.Struct, frozen=True):
    function: _Named


class _Schema(msgspec.Struct, frozen=True):
    schema: _Raw = _NOTHING


class _Format(msgspec.Struct, frozen=True):
    type: str = ""
    json_schema: _Schema | None = None


class _Switches(msgspec.Struct, frozen=True):
    enable_thinking: bool | None = None


class _Part(msgspec.Struct, frozen=True):
    type: str = ""
    text: str | None = None


class _System(msgspec.Struct, frozen=True):
    content: _Raw = _NOTHING


_LOADING: Final = ("keep_alive", "options", "shift")
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_SYSTEM: Final = msgspec.json.Decoder(_System)
_STRING: Final = msgspec.json.Decoder(str)
_LIST: Final = msgspec.json.Decoder(list[_Raw])
_PART: Final = msgspec.json.Decoder(_Part)


def parse(body: bytes, cut: Cut | None = None) -> Parsed:
    """The request that `body` holds, of which the leading messages of a `cut` are known.

    Raises BadJson with the JSON pointer of the fault in `path`. Messages and tools are only told apart here, but for
    those of the system prompt: what is wrong inside another is raised by `role`, `message` and `tool`.
    """
    try:
        said = _ENVELOPE.decode(body if cut is None else cut.rest)
    except UNREADABLE as error:
        if cut is not None:  # the fault is told by its place in the whole
            return parse(body)
        if (readable := mended(body)) != body:
            return parse(readable)
        raise unreadable(error) from error
    everything = Pieces(said.messages) if cut is None else cut.pieces(body, said.messages)
    if everything is None:
        return parse(body)
    if not everything:
        raise missing("/messages")
    leading = _leading(everything)
    return Parsed(
        options=_options(said),
        system=tuple(_system(everything[:leading])),
        tools_raw=Pieces(said.tools or ()),
        messages_raw=everything.behind(leading),
        everything=everything,
        leading=leading,
        cache_key=_read(said.prompt_cache_key, str) or "",
        user=_read(said.user, str) or "",
        loading=tuple((name, bytes(raw)) for name in _LOADING if len(raw := getattr(said, name))),
        body=body,
    )


def _leading(messages: Pieces) -> int:
    for index, raw in enumerate(messages):
        if not is_system(role(raw, index)):
            return index
    return len(messages)


def _system(raws: Sequence[bytes]) -> list[SystemBlock]:
    """The blocks of the system prompt: a message's string is one, and so is each part of a message in parts."""
    words: list[tuple[str, bytes, str]] = []
    for at, raw in enumerate(raws):
        try:
            str(raw, "utf-8")
            content = bytes(_SYSTEM.decode(raw).content)
            if content.startswith(b'"'):
                rows = [(_STRING.decode(content), f"/messages/{at}/content")]
            elif content in (b"", b"null"):
                rows = []
            else:
                parts = _LIST.decode(content)
                rows = [(_words(bytes(part)), f"/messages/{at}/content/{k}/text") for k, part in enumerate(parts)]
        except UNREADABLE as error:
            raise unreadable(error, f"/messages/{at}/content") from error
        words += [(text, raw, path) for text, path in rows if text]
    return [SystemBlock(text, index, raw, path) for index, (text, raw, path) in enumerate(words)]


def _words(part: bytes) -> str:
    """The words of a part; of one that is not of words, which no server is known to take, its JSON text."""
    text = _PART.decode(part).text
    return text if text is not None else str(part, "utf-8")


def _options(said: _Envelope) -> Options:
    word, words = _read(said.stop, str), _read(said.stop, tuple[str, ...])
    form = _read(said.response_format, _Format)
    switches = _read(said.chat_template_kwargs, _Switches)
    schema = bytes(form.json_schema.schema) if form is not None and form.json_schema is not None else b""
    usage = _read(said.stream_options, _StreamOptions)
    return Options(
        model=said.model or "",
        max_tokens=_first(_read(said.max_completion_tokens, int), _read(said.max_tokens, int)),
        stream=bool(said.stream),
        temperature=_read(said.temperature, float),
        top_p=_read(said.top_p, float),
        top_k=_read(said.top_k, int),
        stop=words or (() if word is None else (word,)),
        tool_choice=_choice(bytes(said.tool_choice)),
        parallel_tools=_read(said.parallel_tool_calls, bool),
        thinking=switches.enable_thinking if switches is not None else None,
        schema=schema or None,
        usage=usage is not None and usage.include_usage,
    )


def _choice(raw: bytes) -> str | None:
    if (word := _read(msgspec.Raw(raw), str)) is not None:
        return "any" if word == "required" else word
    named = _read(msgspec.Raw(raw), _Choice)
    return f"tool:{named.function.name}" if named is not None else None


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one


def _read(raw: _Raw, kind: type[T]) -> T | None:
    """The value of an optional member; None where it is not there, null, or of another type."""
    if not len(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        return None
