"""Every protocol that agents may speak, once. A new one is a class here and a line in FRONTS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from keepwarm.core.prompt import Message, Tool
from keepwarm.core.sketch import content_pointer
from keepwarm.wire import anthropic, anthropic_blocks, anthropic_errors, identity
from keepwarm.wire.anthropic_stream import MessageWriter, WholeWriter
from keepwarm.wire.api import ClientFacts, Front, Parsed, Writer


class Anthropic(msgspec.Struct, frozen=True):
    """Anthropic's Messages API."""

    name = "anthropic"
    path = "/v1/messages"

    def parse(self, body: bytes) -> anthropic.Parsed:
        """Read a request."""
        return anthropic.parse(body)

    def message(self, raw: bytes, index: int) -> Message:
        """Read one message."""
        return anthropic_blocks.message(raw, index)

    def tool(self, raw: bytes, index: int) -> Tool:
        """Read one tool."""
        return anthropic_blocks.tool(raw, index)

    def pointer(self, message: Message, place: int) -> str:
        """JSON pointer to a block, below its message."""
        return content_pointer(message, place)

    def identity(self, headers: Mapping[str, str], parsed: Parsed) -> ClientFacts:
        """Who is asking."""
        return identity.identity(headers, parsed.metadata_user_id if isinstance(parsed, anthropic.Parsed) else "")

    def writer(self, message_id: str, model: str, stream: bool, mint: Callable[[int], str] | None) -> Writer:
        """For one answer."""
        return MessageWriter(message_id, model, mint) if stream else WholeWriter(message_id, model, mint)

    def error(self, status: int, kind: str, message: str, request_id: str) -> tuple[int, bytes]:
        """(status, body) of an error."""
        return anthropic_errors.error_body(status, kind, message, request_id)


FRONTS: Final[dict[str, Front]] = {front.name: front for front in (Anthropic(),)}
