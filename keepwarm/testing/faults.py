"""What can go wrong between a gateway and its server, one at a time: the faults a ScriptedServer can be told to have.

    def faults(index: int, body: dict) -> Fault | None:
        return Refuse(503, retry_after=2) if index == 0 else None

`index` counts the completions a server has been asked for, from 0. A fault that hits `after` N pieces lets N deltas
of the answer through first; on an answer that is not streamed it hits the whole body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec


class Refuse(msgspec.Struct, frozen=True):
    """An error status instead of an answer; the engine is not asked."""

    status: int = 503
    """The HTTP status."""
    retry_after: int | None = None
    """Seconds for the `retry-after` header; None = no such header."""
    message: str = "The server is overloaded, try again."
    """The text of llama.cpp's error object."""
    kind: str = "unavailable_error"
    """Its `type`."""


class HangUp(msgspec.Struct, frozen=True):
    """The connection is closed in the middle of the answer."""

    after: int = 1
    """Deltas sent before; -1 = before the headers."""


class StreamError(msgspec.Struct, frozen=True):
    """An error object within the stream, which then ends; 500 with the same object where nothing is streamed."""

    after: int = 1
    """Deltas sent before."""
    message: str = "The engine has failed."
    """The text of the error object."""


class Garble(msgspec.Struct, frozen=True):
    """A chunk that is not JSON (cut in the middle), after which the answer goes on; half a body where nothing is
    streamed."""

    after: int = 1
    """Deltas sent before."""


class Stall(msgspec.Struct, frozen=True):
    """Nothing is said for a while: between the processed prompt and the first token (headers are out only if progress
    was asked for), or in the middle of a stream."""

    seconds: float = 0.0
    """How long."""
    until: asyncio.Event | None = None
    """And until this is set, which a test can wait with for what it wants to see."""
    after: int = 0
    """Deltas sent before."""


Fault = Refuse | HangUp | StreamError | Garble | Stall
"""Any one of them."""

FaultChooser = Callable[[int, dict[str, Any]], Fault | None]
"""(index of the completion, its body) -> the fault it meets; None = it goes well."""
