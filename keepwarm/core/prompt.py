"""A request as the model will read it: frozen values, each with the bytes that the client wrote.

    Prompt = Head (system blocks, tools) + Turns;  Turn = one assistant message, or a run of all others

A *turn* is the unit that stands or falls: everything between two assistant messages is read by the model
in one go, and where a server wants one message or several there is the dialect's affair.

Values hold values, so no cycles: `gc=False` spares the garbage collector a walk over every conversation that stands.

A block's `raw` is the client's own text for it (b"" when a rule made the block), so that whoever writes the
prompt out again can leave what no rule touched byte for byte as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec


class Text(msgspec.Struct, frozen=True, gc=False):
    """Words."""

    text: str
    raw: bytes = b""


class Media(msgspec.Struct, frozen=True, gc=False):
    """An image or a document: what stands in `source` is the client's own object."""

    kind: str
    """"image" or "document"."""
    media_type: str
    data: str
    """Base64, or the URL when `is_url`; plain text when `media_type` is "text/plain"."""
    is_url: bool = False
    raw: bytes = b""


class Thinking(msgspec.Struct, frozen=True, gc=False):
    """Reasoning of an assistant turn."""

    text: str
    signature: str = ""
    """What the server (or keepwarm, for a server that signs nothing) gave to recognise it by."""
    redacted: bool = False
    raw: bytes = b""


class ToolUse(msgspec.Struct, frozen=True, gc=False):
    """A tool call of an assistant turn."""

    id: str
    name: str
    arguments: str
    """JSON text, to the byte as whoever is believed wrote it."""
    upstream_id: str = ""
    """The server's own id when it differs from the one the client knows; "" when it does not."""
    raw: bytes = b""


class ToolReference(msgspec.Struct, frozen=True, gc=False):
    """A tool result saying that a deferred tool is loaded now."""

    name: str
    raw: bytes = b""


class Opaque(msgspec.Struct, frozen=True, gc=False):
    """A block of a type that is not known here: it passes through where the server speaks the client's protocol."""

    kind: str
    raw: bytes = b""


class ToolResult(msgspec.Struct, frozen=True, gc=False):
    """What a tool gave back."""

    id: str
    content: tuple[Text | Media | ToolReference | Opaque, ...]
    is_error: bool = False
    raw: bytes = b""


Block: TypeAlias = Text | Media | Thinking | ToolUse | ToolReference | ToolResult | Opaque


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message of the client."""

    role: str
    """"user", "assistant" or "system" (any other word of the client passes as it is)."""
    blocks: tuple[Block, ...]
    index: int
    """Its place in the client's list: /messages/{index}."""
    raw: bytes = b""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One assistant message, or the run of other messages between two of them."""

    messages: tuple[Message, ...]

    @property
    def is_assistant(self) -> bool:
        """True for the model's own turn."""
        return bool(self.messages) and self.messages[0].role == "assistant"

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        for message in self.messages:
            yield from message.blocks


class SystemBlock(msgspec.Struct, frozen=True, gc=False):
    """One block of the system prompt."""

    text: str
    index: int
    """Its place in the client's list: /system/{index}/text; -1 when `system` is one string."""
    raw: bytes = b""
    pointer: str = ""
    """JSON pointer of its words, where the system prompt is no member of its own."""

    @property
    def path(self) -> str:
        """JSON pointer of its words in the client's body."""
        return self.pointer or (f"/system/{self.index}/text" if self.index >= 0 else "/system")


class Tool(msgspec.Struct, frozen=True, gc=False):
    """One tool as the client offers it."""

    name: str
    description: str
    schema: bytes
    """The input schema's JSON text as the client wrote it; b"" for a tool that the server itself would run."""
    index: int
    deferred: bool = False
    """The client does not want it in the prompt before a tool result refers to it."""
    raw: bytes = b""
    late: bool = False
    """The model reads of it in the conversation, not at the head of the prompt."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """What stands before the first message."""

    system: tuple[SystemBlock, ...] = ()
    tools: tuple[Tool, ...] = ()

    def text(self) -> str:
        """The system prompt as one text."""
        return "\n\n".join(block.text for block in self.system if block.text)


class Options(msgspec.Struct, frozen=True, gc=False):
    """What a request asks for besides its words; None = not said."""

    model: str
    max_tokens: int | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    tool_choice: str | None = None
    """"auto", "any", "none", or "tool:NAME"."""
    parallel_tools: bool | None = None
    thinking: bool | None = None
    schema: bytes | None = None
    """A JSON schema that the answer must follow, as JSON text."""
    usage: bool = False
    """Whether a stream is to end with usage, where a client has to ask for it."""
    diagnose: str | None = None
    """The id of an earlier answer, whose request the client wants this one to be compared with; "" for none."""


class Edit(msgspec.Struct, frozen=True, gc=False):
    """One change of what the client said, as it is listed on the record."""

    code: str
    """The rule: "VOL001"."""
    path: str
    """A JSON pointer into the received body: "/system/0"."""
    before: str
    """The text that stood there ("" when something was added)."""
    after: str
    """The text that stands there now ("" when it was taken out)."""
    note: str = ""


class EditNote(msgspec.Struct, frozen=True, gc=False):
    """A change that keepwarm made to what the client said: listed always, its text only with `--record`."""

    code: str
    path: str
    """JSON pointer into the received body; "" where several places are summed up."""
    safety: str
    """"exact", "order" or "meaning"."""
    removed: int
    """Characters taken out."""
    added: int
    """Characters put in."""
    note: str = ""
    standing: bool = False
    """True when the edit was made on an earlier request and stands since."""
    count: int = 1
    """Edits that this stands for: those that stand since earlier requests are summed up, one note for each rule."""


class Notice(msgspec.Struct, frozen=True, gc=False):
    """Something that the head does not say, because it would part the prompt there: it is told in the newest turn."""

    topic: str
    """What it is about: of several notices on one topic the latest holds."""
    text: str
    code: str
    """The rule that keeps it out of the head."""
    path: str
    """Where the client says it: a JSON pointer into the request."""
    known: str = ""
    """What the head itself says about it: a notice that says the same need not be told."""
