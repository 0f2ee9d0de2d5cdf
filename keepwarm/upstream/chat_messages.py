"""A chat client's own messages and tools, edited in place where a rule or what stands changed them.

What no rule touched keeps its bytes: a message, a part, a call, and every member that is not known here. What was a
string stays a string, with what is added behind a blank line; what was a list gets one part more.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from operator import itemgetter
from typing import TypeAlias

import msgspec

from keepwarm.codec.json_text import is_object
from keepwarm.codec.splice import Patch, Span, elements, members, splice, with_member, without
from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
    Turn,
)
from keepwarm.upstream.chat import JOIN

Known: TypeAlias = Container[Block]
GONE = b" "
"""The upstream text of messages that a rule took out whole (b"" means: as the client wrote them)."""
_encode = msgspec.json.encode


def system_text(blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
    """The leading messages anew, comma between them; b"" when they say what the client says, GONE when none is left.

    Blocks that stand since an earlier request may have stood in another shape there: those bring their own message.
    """
    if [block.text for block in blocks] == [block.text for block in original]:
        return b""
    now = {block.pointer: block.raw for block in original}
    rows: dict[str, list[SystemBlock]] = {}
    for block in blocks:
        rows.setdefault(_steps(block)[1], []).append(block)
    return b",".join(_leading(now.get(mine[0].pointer, mine[0].raw), mine) for mine in rows.values()) or GONE


def _leading(raw: bytes, mine: Sequence[SystemBlock]) -> bytes:
    """A leading message that says these blocks and nothing else, in place."""
    content = members(raw)["content"]
    if len(_steps(mine[0])) < 4:  # one string
        return splice(raw, _if_other(raw, content, mine[0].text))
    places = {int(_steps(block)[3]): block.text for block in mine}
    spans = elements(raw, content)
    patches = [
        patch
        for place, text in places.items()
        if "text" in (part := members(raw, spans[place]))
        for patch in _if_other(raw, part["text"], text)
    ]
    return splice(raw, [*patches, *without(raw, content, spans, [k for k in range(len(spans)) if k not in places])])


def _steps(block: SystemBlock) -> list[str]:
    """ "/messages/0/content/1/text" in pieces: messages, 0, content, 1, text."""
    return block.pointer.split("/")[1:]


def _if_other(raw: bytes, span: Span, text: str) -> list[Patch]:
    """The patch that makes a string another; none where it is this one."""
    return [] if _at(raw, *span) == text else [Patch(*span, _encode(text))]


def tools_text(tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
    """The member `tools` anew; b"" when no rule changed it."""
    return b"" if tools == original else b"[" + b",".join(map(_tool, tools)) + b"]"


def _tool(tool: Tool) -> bytes:
    spans = members(tool.raw)
    if "function" not in spans:
        return tool.schema  # its whole text
    function = members(tool.raw, spans["function"])
    patches = _if_other(tool.raw, function["description"], tool.description) if tool.description else []
    if tool.schema and "parameters" in function:
        patches.append(Patch(*function["parameters"], tool.schema))
    return splice(tool.raw, patches)


def turn_text(turn: Turn, original: Turn) -> bytes:
    """A turn's messages anew, comma between them; b"" when no rule changed one, GONE when none is left.

    A message in which nothing is said stays, unless it is the system's: an empty last one of the user's still tells the
    server whose turn it is.
    """
    if turn == original:
        return b""
    before = {message.index: message for message in original.messages}
    known = frozenset(_known(original))
    rows = [(one.index, row) for one in turn.messages for row in _rows(one, before.get(one.index), known)]
    silent = [one for one in original.messages if not one.blocks and one.role != "system"]
    said = {message.index for message in turn.messages}
    rows += [(one.index, one.raw) for one in silent if one.index not in said]
    texts = [row for _, row in sorted(rows, key=itemgetter(0))]
    if texts == [message.raw for message in original.messages]:
        return b""
    return b",".join(texts) or GONE


def _known(turn: Turn) -> Iterator[Block]:
    """All that the client wrote in a turn: a value that equals one of these, bytes and all, goes as it was."""
    for block in turn.blocks():
        yield block
        if isinstance(block, ToolResult):
            yield from block.content


def _rows(message: Message, was: Message | None, known: Known) -> Iterator[bytes]:
    """What a message has become: each result is a message, and so is each run of other blocks."""
    if was is not None and message == was:
        yield was.raw
        return
    if message.role == "assistant":
        yield _assistant(message, was)
        return
    words: list[Block] = []
    raw = message.raw if message.role != "tool" else b""
    role = "user" if message.role == "tool" else message.role
    for block in message.blocks:
        if not isinstance(block, ToolResult):
            words.append(block)
            continue
        yield from _words(role, words, raw, known)
        words, raw = [], b""
        yield _result(block, known)
    yield from _words(role, words, raw, known)


def _words(role: str, blocks: Sequence[Block], raw: bytes, known: Known) -> Iterator[bytes]:
    said = [block for block in blocks if not _is_member(block)]
    if raw and (said or blocks):
        yield with_member(raw, "content", _content(said, _content_of(raw), known))
    elif said:
        yield b'{"role":' + _encode(role) + b',"content":' + _content(said, b'""', known) + b"}"


def _result(result: ToolResult, known: Known) -> bytes:
    if result.raw and result in known:
        return result.raw
    raw = result.raw or b'{"role":"tool","tool_call_id":"","content":""}'
    raw = with_member(raw, "tool_call_id", _encode(result.id)) if _member(raw, "tool_call_id") != result.id else raw
    if result.raw and all(part in known for part in result.content) and _count(raw) == len(result.content):
        return raw
    return with_member(raw, "content", _content(result.content, _content_of(raw), known))


def _assistant(message: Message, was: Message | None) -> bytes:
    raw = message.raw or b'{"role":"assistant"}'
    before = was.blocks if was is not None else ()
    known = frozenset(before)
    said, old = _of(message.blocks, Text, Media, Opaque), _of(before, Text, Media, Opaque)
    if said != old:
        raw = with_member(raw, "content", _content(said, _content_of(raw), known))
    thinking = [block.text for block in message.blocks if isinstance(block, Thinking)]
    if thinking != [block.text for block in before if isinstance(block, Thinking)]:
        raw = with_member(raw, _reasoning_name(raw), _encode("".join(thinking)))
    calls, old_calls = _calls(message.blocks), _calls(before)
    return raw if calls == old_calls else _with_calls(raw, calls, old_calls)


def _with_calls(raw: bytes, calls: Sequence[Block], before: Sequence[Block]) -> bytes:
    if len(calls) != len(before):
        return with_member(raw, "tool_calls", b"[" + b",".join(map(_call, calls)) + b"]")
    spans = elements(raw, members(raw)["tool_calls"])
    rows = zip(spans, calls, before, strict=True)
    return splice(raw, [Patch(*span, _call(call)) for span, call, old in rows if call != old])


def _of(blocks: Sequence[Block], *kinds: type[Block]) -> list[Block]:
    """The blocks of some kinds that are content, in order."""
    return [b for b in blocks if isinstance(b, kinds) and not _is_member(b) and not _is_call(b)]


def _calls(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if isinstance(block, ToolUse) or _is_call(block)]


def _call(call: Block) -> bytes:
    if not isinstance(call, ToolUse):
        return call.raw
    raw = call.raw or b'{"id":"","type":"function","function":{"name":"","arguments":""}}'
    spans = members(raw)
    function = members(raw, spans["function"])
    patches: list[Patch] = []
    given = call.upstream_id or call.id
    if "id" in spans and _at(raw, *spans["id"]) != given:
        patches.append(Patch(*spans["id"], _encode(given)))
    if _at(raw, *function["name"]) != call.name:
        patches.append(Patch(*function["name"], _encode(call.name)))
    if "arguments" in function:
        start, end = function["arguments"]
        is_text = raw[start : start + 1] == b'"'
        had = _at(raw, start, end) if is_text else str(raw[start:end], "utf-8")
        if had != call.arguments and (is_text or is_object(call.arguments)):
            patches.append(Patch(start, end, _encode(call.arguments) if is_text else call.arguments.encode()))
    return splice(raw, patches)


def _reasoning_name(raw: bytes) -> str:
    names = members(raw)
    return "reasoning" if "reasoning" in names and "reasoning_content" not in names else "reasoning_content"


def _content(blocks: Sequence[Block], was: bytes, known: Known) -> bytes:
    """The value of `content`: a string where it was one and all are words, else a list of parts."""
    if not blocks:
        return b'""'
    if not was.startswith(b"[") and all(isinstance(block, Text) for block in blocks):
        first, *more = blocks
        if not more and first in known and first.raw.startswith(b'"'):
            return first.raw
        return _encode(JOIN.join(block.text for block in blocks if isinstance(block, Text)))
    return b"[" + b",".join(_part(block, known) for block in blocks) + b"]"


def _part(block: Block, known: Known) -> bytes:
    whole = block.raw if block.raw.startswith(b"{") else b""
    match block:
        case Text(text):
            if whole and block in known:
                return whole
            return with_member(whole or b'{"type":"text","text":""}', "text", _encode(text))
        case Media(_, media_type, data, is_url) if not whole:
            url = data if is_url else f"data:{media_type};base64,{data}"
            return _encode({"type": "image_url", "image_url": {"url": url}})
        case ToolReference(name):
            return _encode({"type": "text", "text": f"The tool {name} is available now."})
        case _:
            return block.raw


def _is_member(block: Block) -> bool:
    return isinstance(block, Opaque) and block.kind.startswith("member ")


def _is_call(block: Block) -> bool:
    return isinstance(block, Opaque) and block.kind.startswith("call ")


def _content_of(raw: bytes) -> bytes:
    span = members(raw).get("content")
    return b"" if span is None else raw[span.start : span.end]


def _count(raw: bytes) -> int:
    """How many blocks a message's content is, as the client wrote it."""
    content = _content_of(raw)
    if content.startswith(b"["):
        return len(elements(content))
    return int(content not in (b"", b"null", b'""'))


def _member(raw: bytes, name: str) -> object:
    span = members(raw).get(name)
    return None if span is None else _at(raw, *span)


def _at(raw: bytes, start: int, end: int) -> object:
    return msgspec.json.decode(raw[start:end])
