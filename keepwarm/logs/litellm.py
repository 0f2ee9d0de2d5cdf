"""LiteLLM's standard logging payload (`standard_logging_object`), as its callbacks write it: JSON Lines, a call a line.

Source: docs.litellm.ai, "StandardLoggingPayload Specification". It has the call as LiteLLM was asked for it, in the
shape of chat completions, and not the bytes that went to the server: what it says of places is about that shape. A
stream's answer is there as one body. Only chat calls are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.logs.api import NO_ANSWER, Exchange, Unreadable
from keepwarm.logs.instant import instant, since
from keepwarm.logs.pairs import body_of

_NOTHING: Final = msgspec.Raw()
_PATH: Final = "/v1/chat/completions"
_CALLS: Final = ("completion", "acompletion")


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    call_type: str
    start: float = msgspec.field(name="startTime")
    messages: msgspec.Raw
    end: float | None = msgspec.field(name="endTime", default=None)
    first: float | None = msgspec.field(name="completionStartTime", default=None)
    model: str = ""
    model_parameters: dict[str, msgspec.Raw] | None = None
    api_base: str | None = None
    stream: bool | None = None
    status: str = "success"
    response: msgspec.Raw = _NOTHING


_PAYLOAD: Final = msgspec.json.Decoder(_Payload)


class LiteLLM(msgspec.Struct, frozen=True):
    """A line of it."""

    name = "LiteLLM's standard logging payload"
    shape = '{"call_type": "acompletion", "startTime": ..., "messages": [...], "response": {...}}'

    def knows(self, row: Mapping[str, msgspec.Raw]) -> bool:
        """By the members of every payload."""
        return "call_type" in row and "startTime" in row and "messages" in row

    def read(self, row: bytes) -> Exchange:
        """A line."""
        said = _PAYLOAD.decode(row)
        if said.call_type not in _CALLS:
            raise Unreadable(f"a LiteLLM call that is no chat completion ({said.call_type[:40]})")
        if not bytes(said.messages).startswith(b"["):
            raise Unreadable("the messages of a LiteLLM call are not in the log")
        body: dict[str, object] = {"model": said.model, "messages": said.messages, **(said.model_parameters or {})}
        if said.stream is not None:
            body["stream"] = said.stream
        at = instant(said.start)
        first = since(at, said.first) if said.stream else None
        return Exchange(
            at=at,
            url=_url(said.api_base or ""),
            body=msgspec.json.encode(body),
            status=200 if said.status == "success" else NO_ANSWER,
            answer=body_of(said.response) if said.status == "success" else b"",
            first_byte_ms=first,
            first_token_ms=first,
            total_ms=since(at, said.end),
        )


def _url(base: str) -> str:
    return base if base.endswith("/chat/completions") else f"{base.rstrip('/').removesuffix('/v1')}{_PATH}"
