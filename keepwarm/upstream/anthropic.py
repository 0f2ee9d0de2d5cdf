"""A server that speaks Anthropic's Messages API itself: the client's bytes go through, edited in place only where a
rule fired. Anthropic's own service, and others that take `cache_control`, keep the client's marks.

Source: the Messages API reference; vLLM, SGLang, Ollama (0.14 and later) and LM Studio serve the same shape.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import msgspec

from keepwarm.codec.splice import Patch, Span, elements, member_patch, members, splice, with_member, without
from keepwarm.core.events import Failed
from keepwarm.core.prompt import Block, Message, SystemBlock, Text, Thinking, Tool, ToolResult, ToolUse, Turn
from keepwarm.upstream import failures
from keepwarm.upstream.anthropic_stream import AnthropicReader
from keepwarm.upstream.api import Draft, Outgoing, Shown, Traits
from keepwarm.upstream.switches import SWITCHES, switched
from keepwarm.upstream.vllm_tools import printed_messages

PATH = "/v1/messages"
GONE = b" "
"""The upstream text of a turn that a rule took out whole (b"" means: as the client wrote it)."""
_encode = msgspec.json.encode


class Anthropic(Shown, frozen=True):
    """One server that speaks the Messages API."""

    traits: Traits = Traits("anthropic")
    model: str = ""

    name = "anthropic"
    protocol = "anthropic"
    same_protocol = True

    def read(self, text: str) -> str:
        """Without what the server takes out itself: the whole of the block."""
        return self.traits.read(text, whole=True)

    def marks(self, body: bytes) -> bool:
        """True: `cache_control` moves, and reasoning is signed."""
        return True

    def system(self, blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
        """The member `system` anew when a rule changed it."""
        return b"" if blocks == original else _system(blocks, original)

    def tools(self, tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
        """The member `tools` anew when a rule changed it."""
        return b"" if tools == original else b"[" + b",".join(map(_tool, tools)) + b"]"

    def turn(self, turn: Turn, original: Turn) -> bytes:
        """The turn's messages anew when a rule changed one of them."""
        if turn == original:
            return b""
        originals, known = frozenset(original.messages), frozenset(_known(original))
        return b",".join([_message(message, originals, known) for message in turn.messages]) or GONE

    def request(self, draft: Draft) -> Outgoing:
        """The client's body with the changed places spliced in; its very bytes when nothing changed."""
        switches = {} if draft.untouched else _switches(draft)
        if not (draft.system or draft.tools or self.model or switches or any(draft.chunks)):
            return Outgoing(PATH, draft.body, draft.headers)
        spans = members(draft.body)
        patches = [
            Patch(*spans[name], text)
            for name, text in (("system", draft.system), ("tools", b"" if draft.late else draft.tools))
            if text and name in spans
        ]
        if self.model:
            patches.append(Patch(*spans["model"], _encode(self.model)))
        if switches:
            told = switched(draft.body, spans, switches)
            patches += [member_patch(draft.body, spans, name, value) for name, value in told.items()]
        if any(draft.chunks):
            patches += _turn_patches(draft, spans["messages"])
        return Outgoing(PATH, splice(draft.body, patches), draft.headers)

    def reader(self, stream: bool) -> AnthropicReader:
        """For the answer, which is streamed or not as the client asked."""
        return AnthropicReader(stream)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """What an error answer means."""
        return failures.failure(status, headers, body)


def _switches(draft: Draft) -> dict[str, bytes]:
    """What the chat template is told. Of tools that the model reads of in the conversation, `tools` says all as the
    client does, and the template prints those that stand at the head."""
    late = {"tools": printed_messages(draft.tools)} if draft.late else {}
    return {**(SWITCHES if draft.keeps else {}), **late}


def _turn_patches(draft: Draft, container: Span) -> list[Patch]:
    spans = elements(draft.body, container, draft.lengths)
    gone: list[int] = []
    patches: list[Patch] = []
    for chunk, (start, end) in zip(draft.chunks, draft.ranges, strict=True):
        if chunk == GONE:
            gone += range(start, end)
        elif chunk:
            patches.append(Patch(spans[start].start, spans[end - 1].end, chunk))
    return patches + without(draft.body, container, spans, gone)


def _system(blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
    if original and original[0].index < 0:  # one string
        return _encode("".join(block.text for block in blocks))
    before = {block.index: block.text for block in original}
    return b"[" + b",".join(
        block.raw if block.text == before.get(block.index) else with_member(block.raw, "text", _encode(block.text))
        for block in blocks
    ) + b"]"  # fmt: skip


def _tool(tool: Tool) -> bytes:
    spans, patches = members(tool.raw), list[Patch]()
    if tool.schema and "input_schema" in spans:
        patches.append(Patch(*spans["input_schema"], tool.schema))
    if "description" in spans:
        start, end = spans["description"]
        if msgspec.json.decode(tool.raw[start:end]) != tool.description:
            patches.append(Patch(start, end, _encode(tool.description)))
    return splice(tool.raw, sorted(patches))


def _message(message: Message, originals: Container[Message], known: Container[Block]) -> bytes:
    if message in originals:
        return message.raw
    content = b"[" + b",".join([_block(block, known) for block in message.blocks]) + b"]"
    if message.raw:
        return with_member(message.raw, "content", content)
    return b'{"role":' + _encode(message.role) + b',"content":' + content + b"}"


def _known(turn: Turn) -> Iterator[Block]:
    """All that the client wrote in a turn: a value that equals one of these, bytes and all, goes as it was."""
    for block in turn.blocks():
        yield block
        if isinstance(block, ToolResult):
            yield from block.content


def _block(block: Block, known: Container[Block]) -> bytes:
    whole = block.raw if block.raw.startswith(b"{") else b""
    untouched = bool(block.raw) and block in known
    if untouched and whole:
        return whole
    match block:
        case Text(text):  # the client's own string, where the content was one
            value = block.raw if untouched else _encode(text)
            return with_member(whole or b'{"type":"text","text":""}', "text", value)
        case ToolUse(id, name, arguments):
            base = whole or b'{"type":"tool_use","id":' + _encode(id) + b',"name":' + _encode(name) + b',"input":{}}'
            return with_member(base, "input", arguments.encode())
        case ToolResult(id, parts, is_error):
            content = b"[" + b",".join([_block(part, known) for part in parts]) + b"]"
            flag = b',"is_error":true' if is_error else b""
            base = whole or b'{"type":"tool_result","tool_use_id":' + _encode(id) + flag + b',"content":[]}'
            return with_member(base, "content", content)
        case Thinking(text, signature):
            return _encode({"type": "thinking", "thinking": text, "signature": signature})
        case _:
            return block.raw
