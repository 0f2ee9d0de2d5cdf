"""What a dialect is: how one kind of server is asked, and how its answer is read.

A dialect is pure. It turns what stands (texts of the head and of each turn, made once and kept by the journal)
into a request, and bytes of an answer into events; the shell does the sending.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from keepwarm.core.events import Event, Failed
from keepwarm.core.prompt import Options, SystemBlock, Tool, Turn
from keepwarm.upstream.memory import Memory


class Outgoing(msgspec.Struct, frozen=True):
    """A request to the server."""

    path: str
    """Below the upstream's address: "/v1/chat/completions"."""
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    hides_usage: bool = False
    """The chunk with the usage was asked for by keepwarm: the client is not to see it."""


class Draft(msgspec.Struct, frozen=True):
    """All that a dialect needs to write one request."""

    body: bytes
    """The client's body as it came."""
    options: Options
    system: bytes
    """What `Dialect.system` made of the system prompt."""
    tools: bytes
    """What `Dialect.tools` made of the tools."""
    chunks: tuple[bytes, ...]
    """What `Dialect.turn` made of each turn, or what stands for it since an earlier request."""
    ranges: tuple[tuple[int, int], ...]
    """For each turn, the client's messages that it is made of: half-open index ranges."""
    slot: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to send besides the dialect's own."""
    lengths: tuple[int, ...] = ()
    """Bytes of each of the client's messages, the leading ones too, where they are known."""
    members: tuple[tuple[str, object], ...] = ()
    """Members of the body to send, by name, whatever the client says in them."""
    late: bytes = b""
    """What `Dialect.tools` made of those that the model reads of in the conversation, not at the head of the prompt."""
    leading: int = 0
    """How many messages stand in front of those of `ranges` and are the system prompt."""
    keeps: bool = False
    """Whether the server's chat template is to be told that it keeps earlier reasoning."""
    untouched: bool = False
    """Whether nothing may be added to what the client said: it is observed only."""


class Traits(msgspec.Struct, frozen=True):
    """What is known of a server from asking it."""

    kind: str = "chat"
    """A key of `registry.DIALECTS`."""
    slots: int = 0
    """Slots to choose from; 0 when the server does not let one choose."""
    context: int | None = None
    """Tokens that one conversation can hold."""
    vision: bool = True
    """Whether images may be sent."""
    model: str = ""
    """The model's name, when the server has one model."""
    version: str = ""
    chat: bool = True
    """Whether it takes chat completions."""
    first_party: bool = False
    """Anthropic itself: observed, never rewritten, unless the user turns it on."""
    memory: Memory = ""
    """How far back its cache can go; "" where nothing tells."""
    block: int = 0
    """Tokens that it caches together; 0 where nothing tells."""
    server: str = ""
    """What it runs, where its own figures show that: "vllm"."""
    drops_thinking: bool = False
    """Its chat template drops earlier reasoning, and has been seen to keep it where the request tells it so."""
    quiet_tools: bool = False
    """It has been seen to print other tools than those that may be called, where the request tells it to."""
    unread: str = ""
    """What a system text begins with that it takes out of the prompt itself; "" for nothing."""

    def read(self, text: str, *, whole: bool) -> str:
        """A system text as it comes into the prompt.

        whole  whether the text goes with `unread`; else its first line does
        """
        if not self.unread or not text.startswith(self.unread):
            return text
        return "" if whole else text.partition("\n")[2]


class Shown(msgspec.Struct, frozen=True):
    """What a dialect does as its server has shown."""

    traits: Traits

    @property
    def drops_thinking(self) -> bool:
        """See `Dialect`."""
        return self.traits.drops_thinking

    @property
    def quiet_tools(self) -> bool:
        """See `Dialect`."""
        return self.traits.quiet_tools


class Reader(Protocol):
    """Reads one answer."""

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""

    def finish(self) -> list[Event]:
        """The answer's bytes have ended: what is left, at most one of it Finished or Failed."""


class Dialect(Protocol):
    """How one kind of server is spoken to."""

    @property
    def name(self) -> str:
        """The kind of server: a key of the registry."""

    @property
    def protocol(self) -> str:
        """What is spoken to the server: "anthropic" or "chat"."""

    @property
    def same_protocol(self) -> bool:
        """True when that is the client's protocol: bytes are edited in place and answers pass as they are."""

    @property
    def quiet_tools(self) -> bool:
        """True when the server can offer tools to the model that the chat template does not print: `Draft.late`."""

    @property
    def drops_thinking(self) -> bool:
        """True when the chat template drops earlier reasoning unless the request says otherwise: `Draft.keeps`."""

    def read(self, text: str) -> str:
        """One text of the client's system prompt as it comes into the server's prompt: what the server takes out of it
        itself can part nothing."""

    def marks(self, body: bytes) -> bool:
        """Whether a client's newest bytes count where a turn says what it said before: cache marks move in them.

        False where a turn that stands goes as it went, whatever bytes say it now.
        """

    def system(self, blocks: tuple[SystemBlock, ...], original: tuple[SystemBlock, ...]) -> bytes:
        """The system prompt as upstream text; b"" when it goes as the client wrote it, or there is none."""

    def tools(self, tools: tuple[Tool, ...], original: tuple[Tool, ...]) -> bytes:
        """The tools as upstream text; b"" when they go as the client wrote them, or there are none."""

    def turn(self, turn: Turn, original: Turn) -> bytes:
        """A turn as upstream text; b"" when it goes as the client wrote it."""

    def request(self, draft: Draft) -> Outgoing:
        """The whole request."""

    def reader(self, stream: bool) -> Reader:
        """For the answer to a request."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> Failed:
        """What an error answer means."""
