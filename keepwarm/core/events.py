"""What comes back from a model server, in one vocabulary for all protocols.

A stream is  Started  (Progress | ThinkingDelta | TextDelta | ToolStart | ToolDelta)*  Finished  or ends in
Failed at any place. Usage travels on the events that carry it: a field that is None was not reported, and
not reported is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TypeAlias

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What a server says one request cost it."""

    prompt_tokens: int | None = None
    """Tokens of the whole prompt, cached ones included."""
    cached_tokens: int | None = None
    """Of these, the ones found in the prefix cache."""
    output_tokens: int | None = None
    """Tokens generated."""
    prompt_ms: float | None = None
    """Milliseconds of prefill, when the server measures them."""
    output_ms: float | None = None
    """Milliseconds of generation, when the server measures them."""
    written_tokens: int | None = None
    """Tokens written to a cache that is paid for (Anthropic's cache_creation_input_tokens)."""

    @property
    def processed_tokens(self) -> int | None:
        """Tokens that were prefilled: prompt less cached; None when either is unknown."""
        if self.prompt_tokens is None or self.cached_tokens is None:
            return None
        return self.prompt_tokens - self.cached_tokens

    def over(self, older: Usage) -> Usage:
        """These fields where they are known, else `older`'s."""
        return Usage(
            *[
                mine if mine is not None else theirs
                for mine, theirs in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(older), strict=True)
            ]
        )


class Started(msgspec.Struct, frozen=True, gc=False):
    """The server has begun to answer."""

    id: str = ""
    model: str = ""
    usage: Usage = Usage()
    """What it says of the prompt at once."""


class Progress(msgspec.Struct, frozen=True, gc=False):
    """Prefill has come this far."""

    total: int
    cached: int
    processed: int
    """Tokens done, cached ones included, as llama.cpp counts."""
    ms: float


class ThinkingDelta(msgspec.Struct, frozen=True, gc=False):
    """More reasoning."""

    text: str
    signature: str = ""
    """The server's signature of the reasoning that ends here; "" while it goes on, or when it signs nothing."""


class TextDelta(msgspec.Struct, frozen=True, gc=False):
    """More of the answer."""

    text: str


class ToolStart(msgspec.Struct, frozen=True, gc=False):
    """A tool call begins; `slot` tells parallel calls apart within one answer."""

    slot: int
    id: str
    name: str


class ToolDelta(msgspec.Struct, frozen=True, gc=False):
    """More of a tool call's argument text."""

    slot: int
    arguments: str


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The answer is complete."""

    reason: str
    """"end", "tools", "length", "stop" (a stop sequence), "refusal" or the server's own word."""
    stop_sequence: str | None = None
    usage: Usage = Usage()


class Failed(msgspec.Struct, frozen=True, gc=False):
    """The server refused or broke off."""

    status: int
    """HTTP status; 0 when the connection itself failed."""
    message: str
    kind: str = ""
    """One of the gateway's words: "overflow", "rate_limit", "overloaded", "auth", "not_found", "bad_request",
    "template", "unreachable", "broken", "server"."""
    retry_after: str = ""
    """The header's value as the server sent it."""
    usage: Usage = Usage()


class Diagnosis(msgspec.Struct, frozen=True, gc=False):
    """Where the request parts from an older one that the client has named. The gateway itself says so, in front."""

    reason: str = ""
    """"model_changed", "system_changed", "tools_changed", "messages_changed", "previous_message_not_found" or
    "unavailable"; "" where it parts nowhere, or nothing was named."""
    missed: int | None = None
    """About how many tokens of the older prompt stand behind that place; None where nothing was compared."""


Event: TypeAlias = (
    Diagnosis | Started | Progress | ThinkingDelta | TextDelta | ToolStart | ToolDelta | Finished | Failed
)


def together(events: Iterable[Event]) -> list[Event]:
    """The same events, but pieces of one text that came at the same time are one piece.

    A server that is faster than its reader sends many tokens at once: to tell them one by one would cost the more,
    the less time there is.
    """
    found: list[Event] = []
    for _, row in groupby(events, _text):
        first, *rest = row
        match first:
            case TextDelta(text) if rest:
                found.append(TextDelta(text + "".join([piece.text for piece in rest if isinstance(piece, TextDelta)])))
            case ThinkingDelta(text) if rest:
                more = [piece.text for piece in rest if isinstance(piece, ThinkingDelta)]
                found.append(ThinkingDelta(text + "".join(more)))
            case ToolDelta(slot, arguments) if rest:
                more = [piece.arguments for piece in rest if isinstance(piece, ToolDelta)]
                found.append(ToolDelta(slot, arguments + "".join(more)))
            case _:
                found.append(first)
    return found


def _text(event: Event) -> object:
    """Which text an event is a piece of; something that is like nothing else for any other event."""
    match event:
        case TextDelta():
            return TextDelta
        case ThinkingDelta(signature=""):
            return ThinkingDelta
        case ToolDelta(slot):
            return slot
    return object()
