"""Every protocol that agents may speak, once. A new one is a class here and a line in FRONTS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from keepwarm.codec.lead import Cut
from keepwarm.core.prompt import Message, Options, Tool
from keepwarm.core.sketch import content_pointer
from keepwarm.wire import (
    anthropic,
    anthropic_blocks,
    anthropic_errors,
    identity,
    openai_chat,
    openai_errors,
    openai_messages,
)
from keepwarm.wire.anthropic_stream import MessageWriter, whole_writer
from keepwarm.wire.api import ClientFacts, Front, Parsed, Writer
from keepwarm.wire.openai_chat_stream import ChunkWriter, Head, completion_writer


class Anthropic(msgspec.Struct, frozen=True):
    """Anthropic's Messages API."""

    name = "anthropic"
    path = "/v1/messages"
    id_header = "request-id"

    def parse(self, body: bytes, cut: Cut | None = None) -> anthropic.Parsed:
        """Read a request."""
        return anthropic.parse(body, cut)

    def message(self, raw: bytes, index: int) -> Message:
        """Read one message."""
        return anthropic_blocks.message(raw, index)

    def tool(self, raw: bytes, index: int) -> Tool:
        """Read one tool."""
        return anthropic_blocks.tool(raw, index)

    def pointer(self, message: Message, place: int) -> str:
        """JSON pointer to a block, below its message."""
        return content_pointer(message, place)

    def place(self, path: str, message: Message) -> str:
        """As rules name it: they name places as this protocol does."""
        return path

    def identity(self, headers: Mapping[str, str], parsed: Parsed) -> ClientFacts:
        """Who is asking."""
        return identity.identity(headers, parsed.metadata_user_id if isinstance(parsed, anthropic.Parsed) else "")

    def writer(self, call: str, options: Options, created: int, *, listening: bool = False) -> Writer:
        """For one answer."""
        make = MessageWriter if options.stream else whole_writer
        return make(f"msg_{call}", options.model, _mint("toolu", call, listening))

    def error(self, status: int, kind: str, message: str, request_id: str) -> tuple[int, bytes]:
        """(status, body) of an error."""
        return anthropic_errors.error_body(status, kind, message, request_id)


class Chat(msgspec.Struct, frozen=True):
    """OpenAI's chat completions."""

    name = "chat"
    path = "/v1/chat/completions"
    id_header = "x-request-id"

    def parse(self, body: bytes, cut: Cut | None = None) -> openai_chat.Parsed:
        """Read a request."""
        return openai_chat.parse(body, cut)

    def message(self, raw: bytes, index: int) -> Message:
        """Read one message."""
        return openai_messages.message(raw, index)

    def tool(self, raw: bytes, index: int) -> Tool:
        """Read one tool."""
        return openai_messages.tool(raw, index)

    def pointer(self, message: Message, place: int) -> str:
        """JSON pointer to a block, below its message."""
        return openai_messages.pointer(message, place)

    def place(self, path: str, message: Message) -> str:
        """JSON pointer to what rules name by its block."""
        return openai_messages.place(path, message)

    def identity(self, headers: Mapping[str, str], parsed: Parsed) -> ClientFacts:
        """Who is asking."""
        if not isinstance(parsed, openai_chat.Parsed):
            return identity.identity(headers)
        return identity.identity(headers, cache_key=parsed.cache_key, user=parsed.user)

    def writer(self, call: str, options: Options, created: int, *, listening: bool = False) -> Writer:
        """For one answer."""
        head, mint = Head(f"chatcmpl-{call}", created, options.model), _mint("call", call, listening)
        return ChunkWriter(head, mint, options.usage) if options.stream else completion_writer(head, mint)

    def error(self, status: int, kind: str, message: str, request_id: str) -> tuple[int, bytes]:
        """(status, body) of an error."""
        return openai_errors.error_body(status, kind, message)


FRONTS: Final[dict[str, Front]] = {front.name: front for front in (Anthropic(), Chat())}
_ANTHROPICS: Final = ("anthropic-version", "anthropic-beta", "x-api-key")
_CLAUDE: Final = ("claude-cli/", "anthropic")


def front_of(path: str, headers: Mapping[str, str]) -> Front:
    """The front in whose protocol a request is: by its path where that tells, else by its headers.

    headers  names in lower case. Clients of the Messages API send `anthropic-version`; those of chat completions send
             nothing by which they could be known
    """
    anthropics, chat = FRONTS["anthropic"], FRONTS["chat"]
    if path == anthropics.path or path.startswith(f"{anthropics.path}/"):
        return anthropics
    if path.startswith("/v1/chat/"):
        return chat
    says = any(name in headers for name in _ANTHROPICS)
    return anthropics if says or headers.get("user-agent", "").lower().startswith(_CLAUDE) else chat


def _mint(prefix: str, call: str, listening: bool) -> Callable[[int], str] | None:
    return None if listening else lambda number: f"{prefix}_{call}{number:02d}"
