"""What a front is: one protocol that agents speak, read and answered. Pure, like all of `wire`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from keepwarm.codec.lead import Cut
from keepwarm.codec.pieces import Pieces
from keepwarm.core.answer import Answer
from keepwarm.core.events import Event, Failed, Usage
from keepwarm.core.prompt import Message, Options, SystemBlock, Tool


class ClientFacts(msgspec.Struct, frozen=True):
    """Who is asking, as far as the request tells."""

    session: str = ""
    agent: str = ""
    parent: str = ""
    """The agent or session that this one works for."""
    request_class: str = ""
    """The client's own word for the kind of request, when it gives one."""
    client: str = ""
    """Name and version: "claude-cli/2.1.114"."""
    trust: str = ""
    """Where the session was read: the name of the header or field; "" when nothing tells."""


class Parsed(Protocol):
    """A request in the client's bytes, decoded only as far as was asked for."""

    @property
    def options(self) -> Options:
        """What it asks for besides its words."""

    @property
    def system(self) -> tuple[SystemBlock, ...]:
        """The system prompt's blocks."""

    @property
    def tools_raw(self) -> Pieces:
        """Each tool's JSON text."""

    @property
    def messages_raw(self) -> Pieces:
        """Each message's JSON text."""

    @property
    def leading(self) -> int:
        """How many messages stand in front of these and are the system prompt; 0 where it is a member of its own."""

    @property
    def everything(self) -> Pieces:
        """Each message's JSON text, those of the leading ones too."""

    @property
    def cache_key(self) -> str:
        """The client's own name for the conversation, for servers that route by it; "" when it says none."""

    @property
    def loading(self) -> tuple[tuple[str, bytes], ...]:
        """Members that say how the model is to be loaded, as JSON texts by name (Ollama's `options`, `keep_alive`)."""

    @property
    def body(self) -> bytes:
        """The whole body."""


class Writer(Protocol):
    """Writes one answer in the client's protocol."""

    def feed(self, event: Event) -> bytes:
        """What the client gets for an event; b"" for nothing (always so for an answer that is not streamed)."""

    def ping(self) -> bytes:
        """Something that keeps the connection alive and says nothing."""

    def fail(self, failed: Failed) -> bytes:
        """The end of an answer that has begun and cannot go on."""

    def whole(self) -> bytes:
        """The answer's body when it is not streamed."""

    @property
    def answer(self) -> Answer:
        """What was generated so far."""

    @property
    def usage(self) -> Usage:
        """What was reported so far."""


class Front(Protocol):
    """One protocol."""

    @property
    def name(self) -> str:
        """The protocol's name: "anthropic" or "chat"."""

    @property
    def path(self) -> str:
        """Where it is served: "/v1/messages"."""

    @property
    def id_header(self) -> str:
        """The header in which a request's id comes back."""

    def parse(self, body: bytes, cut: Cut | None = None) -> Parsed:
        """Read a request; the leading messages of a `cut` are not read again. Raises BadJson in the protocol's own
        words."""

    def message(self, raw: bytes, index: int) -> Message:
        """Read one message. Raises BadJson."""

    def tool(self, raw: bytes, index: int) -> Tool:
        """Read one tool. Raises BadJson."""

    def pointer(self, message: Message, place: int) -> str:
        """JSON pointer to a block of a message, below the message: "/content/2"."""

    def identity(self, headers: Mapping[str, str], parsed: Parsed) -> ClientFacts:
        """Who is asking; header names in lower case."""

    def place(self, path: str, message: Message) -> str:
        """The JSON pointer to what rules name `path` in a message: "/messages/3/content/1" or "../content/1/input"."""

    def writer(self, call: str, options: Options, created: int, *, listening: bool = False) -> Writer:
        """For one answer to the request with the id `call`, which came at `created` (Unix seconds).

        The ids of the message, and of tool calls where the server's do not stay unique, are made of `call`.
        `listening`: the client gets the server's bytes, and the writer only keeps the answer.
        """

    def error(self, status: int, kind: str, message: str, request_id: str) -> tuple[int, bytes]:
        """(status, body) of an error."""
