"""The Messages API as a front: the one object that knows all its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from keepwarm.core.prompt import Message, Tool
from keepwarm.wire import anthropic, anthropic_errors, identity
from keepwarm.wire.anthropic_stream import MessageWriter, WholeWriter
from keepwarm.wire.api import ClientFacts, Front, Parsed


class AnthropicFront:
    """`keepwarm.wire.api.Front` for agents that speak Anthropic's Messages API."""

    name = "anthropic"
    path = "/v1/messages"

    def parse(self, body: bytes) -> anthropic.Parsed:
        """Read a request, also one to count its tokens. Raises BadJson in the API's words."""
        return anthropic.parse(body)

    def message(self, raw: bytes, index: int) -> Message:
        """Read one message. Raises BadJson."""
        return anthropic.message(raw, index)

    def tool(self, raw: bytes, index: int) -> Tool:
        """Read one tool. Raises BadJson."""
        return anthropic.tool(raw, index)

    def identity(self, headers: Mapping[str, str], parsed: Parsed) -> ClientFacts:
        """Who is asking."""
        user_id = parsed.metadata_user_id if isinstance(parsed, anthropic.Parsed) else ""
        return identity.identity(headers, user_id)

    def writer(
        self, message_id: str, model: str, stream: bool, mint: Callable[[int], str] | None
    ) -> MessageWriter | WholeWriter:
        """For one answer, streamed or not."""
        return MessageWriter(message_id, model, mint) if stream else WholeWriter(message_id, model, mint)

    def error(self, status: int, kind: str, message: str, request_id: str) -> tuple[int, bytes]:
        """(status, body) of an error."""
        return anthropic_errors.error_body(status, kind, message, request_id)


ANTHROPIC: Final[Front] = AnthropicFront()
