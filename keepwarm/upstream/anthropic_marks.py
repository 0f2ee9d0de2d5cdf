"""The cache markers of a Messages request: read out of its bytes, and set or taken off in place.

Source: the Messages API reference. `cache_control` may stand on a tool, on a block of the system prompt, on a block of
a message, and on the request as a whole; not on reasoning and not on an empty text. A string cannot carry one: it
becomes a list with one block of text, which the model reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.codec.splice import Patch, Span, elements, members, splice
from keepwarm.core.marks import Part, Row, Slot

_Raw = msgspec.Raw
_NOTHING: Final = msgspec.Raw()
_MARK: Final = b'"cache_control":{"type":"ephemeral"}'
_DATED: Final = re.compile(
    rb"\d:\d\d|\d{4}[-/]\d|\d\.20\d\d|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    rb"|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d"
)
"""The look of a date or a time: looked for in each request's system prompt, so less exactly than in `core.clock`."""
_MARKLESS: Final = frozenset({"thinking", "redacted_thinking"})


class _Body(msgspec.Struct, frozen=True):
    messages: list[_Raw] = []
    system: _Raw = _NOTHING
    tools: list[_Raw] = []
    cache_control: _Raw = _NOTHING


class _Message(msgspec.Struct, frozen=True):
    role: str = ""
    content: _Raw = _NOTHING


class _Block(msgspec.Struct, frozen=True):
    type: str = ""
    text: _Raw = _NOTHING
    cache_control: _Raw = _NOTHING
    defer_loading: bool | None = False


_BODY: Final = msgspec.json.Decoder(_Body)
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_BLOCK: Final = msgspec.json.Decoder(_Block)
_LIST: Final = msgspec.json.Decoder(list[_Raw])


def read(body: bytes) -> Row | None:
    """The blocks of a request and their markers; None for a body that cannot be read."""
    try:
        said = _BODY.decode(body)
        slots = [_slot("tools", f"/tools/{at}", raw) for at, raw in enumerate(said.tools)]
        slots += _content("system", "/system", said.system)
        turn, before = -1, ""
        for at, raw in enumerate(said.messages):
            message = _MESSAGE.decode(raw)
            if "assistant" in (message.role, before) or turn < 0:
                turn += 1
            before = message.role
            asked = message.role != "assistant"
            slots += _content("messages", f"/messages/{at}/content", message.content, turn, asked=asked)
    except UNREADABLE:
        return None
    return Row(tuple(slots), automatic=_is_said(said.cache_control))


def write(body: bytes, before: Row, after: Row) -> bytes:
    """`body` with the markers of `after`, where it had those of `before`."""
    wanted = [new for old, new in zip(before.slots, after.slots, strict=True) if old.marked != new.marked]
    if not wanted:
        return body
    spans = members(body)
    rows: dict[str, list[Span]] = {}
    return splice(body, [_patch(body, _find(body, slot.path, spans, rows), on=slot.marked) for slot in wanted])


def _content(part: Part, path: str, raw: _Raw, turn: int = -1, *, asked: bool = False) -> Iterator[Slot]:
    text = bytes(raw)
    if text.startswith(b"["):
        for at, block in enumerate(_LIST.decode(text)):
            yield _slot(part, f"{path}/{at}", block, turn, asked=asked)
    elif text.startswith(b'"'):
        moves = part == "system" and _has_clock(text)
        yield Slot(part, path, len(text), can_hold=len(text) > 2, turn=turn, asked=asked, moves=moves)


def _slot(part: Part, path: str, raw: _Raw, turn: int = -1, *, asked: bool = False) -> Slot:
    block = _BLOCK.decode(raw)
    empty = block.type == "text" and len(block.text) <= 2
    return Slot(
        part,
        path,
        len(raw),
        _is_said(block.cache_control),
        not (empty or block.type in _MARKLESS or block.defer_loading),
        turn,
        asked,
        part == "system" and _has_clock(bytes(block.text)),
    )


def _is_said(raw: _Raw) -> bool:
    return len(raw) > 0 and bytes(raw) != b"null"


def _has_clock(text: bytes) -> bool:
    return _DATED.search(text) is not None


def _patch(body: bytes, span: Span, *, on: bool) -> Patch:
    """Set or take off the marker of a block."""
    text = body[span.start : span.end]
    if not on:
        return Patch(*span, _unmarked(text))
    if text.startswith(b'"'):
        return Patch(*span, b'[{"type":"text","text":' + text + b"," + _MARK + b"}]")
    return Patch(*span, _marked(text))


def _find(body: bytes, path: str, spans: dict[str, Span], rows: dict[str, list[Span]]) -> Span:
    """The span of the block at one of our pointers; `rows` keeps the elements of `tools` and `messages`, found once."""
    part, *names = path.split("/")[1:]
    span = spans[part]
    for name in names:
        if not name.isdigit():
            span = members(body, span)[name]
        elif span == spans[part]:
            if part not in rows:
                rows[part] = elements(body, span)
            span = rows[part][int(name)]
        else:
            span = elements(body, span)[int(name)]
    return span


def _marked(block: bytes) -> bytes:
    there = members(block).get("cache_control")
    if there is not None:  # null
        return splice(block, [Patch(*there, _MARK.partition(b":")[2])])
    end = block.rindex(b"}")
    return block[:end].rstrip() + (b"," if len(members(block)) else b"") + _MARK + block[end:]


def _unmarked(block: bytes) -> bytes:
    """`block` without the member `cache_control` and the comma that it needs."""
    spans = members(block)
    names = list(spans)
    at = names.index("cache_control")
    if at:
        return splice(block, [Patch(spans[names[at - 1]].end, spans["cache_control"].end, b"")])
    start = block.index(b'"')
    end = block.index(b'"', spans["cache_control"].end) if len(names) > 1 else spans["cache_control"].end
    return splice(block, [Patch(start, end, b"")])
