"""Any other server that takes chat completions: the shared shape and nothing that only one kind of server knows.

Source: the OpenAI API reference for chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from keepwarm.core.events import Failed
from keepwarm.core.prompt import SystemBlock, Tool, Turn
from keepwarm.upstream import chat, failures
from keepwarm.upstream.api import Draft, Outgoing, Shown, Traits
from keepwarm.upstream.chat_stream import ChatReader
from keepwarm.upstream.switches import MEMBER, SWITCHES
from keepwarm.upstream.vllm_tools import printed_chat

PATH = "/v1/chat/completions"


class OpenAI(Shown, frozen=True):
    """One chat completions server."""

    traits: Traits = Traits("chat")
    model: str = ""
    """The name to ask for; "" passes the client's on (a server with one model does not care)."""

    name = "chat"
    protocol = "chat"
    same_protocol = False

    def read(self, text: str) -> str:
        """Without what the server takes out itself: its line."""
        return self.traits.read(text, whole=False)

    def marks(self, body: bytes) -> bool:
        """False: what stands is a translation."""
        return False

    def system(self, blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
        """The system prompt as a chat message."""
        return chat.system_text(blocks)

    def tools(self, tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
        """The tools as chat texts."""
        return chat.tools_text(tools)

    def turn(self, turn: Turn, original: Turn) -> bytes:
        """A turn as chat messages."""
        return chat.turn_text(turn, vision=self.traits.vision)

    def request(self, draft: Draft) -> Outgoing:
        """The request, always streamed: usage, progress and hang-ups are then seen whatever the client asked for."""
        parts = chat.members(draft.options, self.model)
        parts.append(b'"stream":true,"stream_options":{"include_usage":true}')
        parts += self.extras(draft)
        parts += [chat.pair(name, value) for name, value in draft.members]
        tools = b",".join(filter(None, (draft.tools, draft.late)))
        return Outgoing(PATH, chat.body(parts, draft.system, tools, draft.chunks), draft.headers)

    def extras(self, draft: Draft) -> list[bytes]:
        """Members of the body that only one kind of server knows."""
        ours = {**(SWITCHES if draft.keeps else {})}
        if draft.late:  # `tools` holds all of them, and the template prints those that stand at the head
            ours["tools"] = printed_chat(b"[" + draft.tools + b"]")
        switches = {name: msgspec.Raw(value) for name, value in ours.items()}
        return [chat.pair(MEMBER, switches)] if switches else []

    def reader(self, stream: bool) -> ChatReader:
        """For the answer, which is always streamed."""
        return ChatReader(stream=True)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """What an error answer means."""
        return failures.failure(status, headers, body)
