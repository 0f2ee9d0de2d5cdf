"""A chat completions server, for clients that speak chat completions themselves: their own bytes go through, edited in
place only where a rule or what stands changed a message, the system prompt or the tools.

Usage must be known, and a stream tells it only when it is asked to: for a client that did not ask, keepwarm does, and
takes the chunk that comes for it out again (`chat_sieve`).

Source: the OpenAI API reference for chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from keepwarm.codec.splice import Patch, Span, elements, member_patch, members, splice, with_member, without
from keepwarm.core.events import Failed
from keepwarm.core.prompt import SystemBlock, Tool, Turn
from keepwarm.upstream import chat_messages, failures
from keepwarm.upstream.api import Draft, Outgoing, Shown, Traits
from keepwarm.upstream.chat_messages import GONE
from keepwarm.upstream.chat_stream import ChatReader
from keepwarm.upstream.llamacpp import printed
from keepwarm.upstream.openai import PATH
from keepwarm.upstream.switches import SWITCHES, switched
from keepwarm.upstream.vllm_tools import printed_chat

_encode = msgspec.json.encode


class ChatBytes(Shown, frozen=True):
    """One chat completions server, for clients of its own protocol."""

    traits: Traits = Traits("chat")
    model: str = ""
    """The name to ask for; "" leaves the client's."""

    protocol = "chat"
    same_protocol = True

    @property
    def name(self) -> str:
        """The kind of server."""
        return self.traits.kind

    def read(self, text: str) -> str:
        """Without what the server takes out itself: its line."""
        return self.traits.read(text, whole=False)

    def marks(self, body: bytes) -> bool:
        """True for a request with cache marks: what goes on is the turn as it is marked now."""
        return b'"cache_control"' in body

    def system(self, blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
        """The leading messages anew when a rule changed one."""
        return chat_messages.system_text(blocks, original)

    def tools(self, tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
        """The member `tools` anew when a rule changed it."""
        return chat_messages.tools_text(tools, original)

    def turn(self, turn: Turn, original: Turn) -> bytes:
        """The turn's messages anew when a rule changed one of them."""
        return chat_messages.turn_text(turn, original)

    def request(self, draft: Draft) -> Outgoing:
        """The client's body with the changed places spliced in; its very bytes when nothing changed."""
        if draft.untouched and not self.model:
            return Outgoing(PATH, draft.body, draft.headers)
        spans = members(draft.body)
        patches: list[Patch] = []
        wanted: dict[str, bytes] = {}
        if not draft.untouched:
            patches = _message_patches(draft, spans["messages"])
            if draft.tools and not draft.late and "tools" in spans:
                patches.append(Patch(*spans["tools"], draft.tools))
            wanted = self.wanted(draft, spans)
            wanted |= {name: _encode(value) for name, value in draft.members}
        if self.model:
            wanted["model"] = _encode(self.model)
        asks = "stream_options" in wanted
        return Outgoing(PATH, _with(draft.body, spans, patches, wanted), draft.headers, hides_usage=asks)

    def wanted(self, draft: Draft, spans: Mapping[str, Span]) -> dict[str, bytes]:
        """Members of the body, by name, that have to be there besides what the client said in `spans`."""
        late = {"tools": printed_chat(draft.tools)} if draft.late else {}
        found = _switches(draft, spans, {**(SWITCHES if draft.keeps else {}), **late})
        if draft.options.stream and not draft.options.usage:
            said = _said(draft.body, spans.get("stream_options"))
            found["stream_options"] = with_member(said or b"{}", "include_usage", b"true")
        return found

    def reader(self, stream: bool) -> ChatReader:
        """For the answer, which is streamed or not as the client asked."""
        return ChatReader(stream, listening=True)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """What an error answer means."""
        return failures.failure(status, headers, body)


class LlamaCppBytes(ChatBytes, frozen=True):
    """One llama-server, for clients of chat completions. Its last chunk holds its counts in any case (`timings`)."""

    traits: Traits = Traits("llamacpp")

    quiet_tools = True

    def wanted(self, draft: Draft, spans: Mapping[str, Span]) -> dict[str, bytes]:
        """The slot, and the switches of the chat template; what the client says of these itself is left to it.

        Tools that the model reads of in the conversation: `tools` stays as the client wrote it, and the template prints
        those that stand at the head (see `llamacpp.py`).
        """
        found: dict[str, bytes] = {}
        if draft.slot is not None:
            found["id_slot"] = _encode(draft.slot)
        if "cache_prompt" not in spans:
            found["cache_prompt"] = b"true"
        if "parallel_tool_calls" not in spans and _said(draft.body, spans.get("tools"), b"[") not in (b"", b"[]"):
            found["parallel_tool_calls"] = b"true"
        late = {"tools": printed(draft.tools[1:-1])} if draft.late else {}
        return found | _switches(draft, spans, {**SWITCHES, **late})


def _switches(draft: Draft, spans: Mapping[str, Span], ours: Mapping[str, bytes]) -> dict[str, bytes]:
    """The member `chat_template_kwargs`: the client's own with what it does not say; none where it says it all.

    `Options.thinking` is told where a rule has pinned it and the client says nothing.
    """
    thinking = draft.options.thinking
    wanted = ours if thinking is None else {**ours, "enable_thinking": _encode(thinking)}
    return switched(draft.body, spans, wanted)


def _message_patches(draft: Draft, container: Span) -> list[Patch]:
    """Patches for the messages that are not what the client wrote."""
    if not (draft.system or any(draft.chunks)):
        return []
    body, leading = draft.body, draft.leading
    spans = elements(body, container, draft.lengths)
    gone: list[int] = []
    patches: list[Patch] = []
    rows = [(draft.system, 0, leading), *((chunk, leading + start, leading + end) for chunk, (start, end) in
            zip(draft.chunks, draft.ranges, strict=True))]  # fmt: skip
    for chunk, start, end in rows:
        if chunk == GONE:
            gone += range(start, end)
        elif chunk and start < end:
            patches.append(Patch(spans[start].start, spans[end - 1].end, chunk))
    return patches + without(body, container, spans, gone)


def _with(body: bytes, spans: Mapping[str, Span], patches: list[Patch], wanted: Mapping[str, bytes]) -> bytes:
    """`body` with patches and members; itself when there are none."""
    for name, value in wanted.items():
        patches.append(member_patch(body, spans, name, value))
    return splice(body, patches) if patches else body


def _said(body: bytes, span: Span | None, opening: bytes = b"{") -> bytes:
    """A member's own text where it is an object (or a list), else b""."""
    if span is None or body[span.start : span.start + 1] != opening:
        return b""
    return body[span.start : span.end]
