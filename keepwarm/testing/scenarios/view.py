"""What a client shows in one request, whatever protocol it speaks: values only.

Everything that can be pointed at has a tag that it keeps from request to request: "u3" is what the client said with
request 3, "a3" the answer to it, "u3.0" the first part of the former.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

Json: TypeAlias = dict[str, Any]
"""One JSON object."""
Role: TypeAlias = Literal["user", "assistant", "system"]


class Text(msgspec.Struct, frozen=True):
    """Words: of the user, of the model, or of the system prompt."""

    text: str
    tag: str


class Thinking(msgspec.Struct, frozen=True):
    """Reasoning that the model generated; its signature is known by the message's tag."""

    text: str
    tag: str


class Call(msgspec.Struct, frozen=True):
    """A tool call; the id that the server gave it is known by its tag."""

    name: str
    arguments: str
    """JSON text."""
    tag: str


class Result(msgspec.Struct, frozen=True):
    """What a tool gave back."""

    call: str
    """The tag of the call that it answers."""
    text: str
    tag: str


class Image(msgspec.Struct, frozen=True):
    """A picture."""

    data: str
    """A PNG in base64."""
    tag: str


Part: TypeAlias = Text | Thinking | Call | Result | Image


class Message(msgspec.Struct, frozen=True):
    """One message."""

    role: Role
    parts: tuple[Part, ...]
    tag: str
    listed: bool = True
    """False: words alone are shown as one string."""
    marked: bool = False
    """Whether its last part carries `cache_control`, where the protocol has that."""


class Tool(msgspec.Struct, frozen=True):
    """One tool; its name is its tag."""

    name: str
    description: str
    schema: Json
    """In the order in which its keys are shown."""


class View(msgspec.Struct, frozen=True):
    """One request before it is written."""

    model: str
    system: tuple[Text, ...]
    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]


def with_parts(message: Message, parts: Iterable[Part]) -> Message:
    """`message` with other parts."""
    return replace(message, parts=tuple(parts))


def newest(view: View) -> int:
    """The index behind the last answer: there the newest turn begins."""
    answers = [at for at, message in enumerate(view.messages) if message.role == "assistant"]
    return answers[-1] + 1 if answers else 0
