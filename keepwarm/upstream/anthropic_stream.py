"""Reads the answer of an Anthropic-speaking server while its bytes pass by unchanged.

Nothing here may disturb the stream that it watches: events and fields that are not known are passed over, and so is
what cannot be read. Source: docs.anthropic.com, "Streaming Messages" and "Errors"; llama.cpp sends its input counts in
message_start only, Anthropic in message_delta again.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from keepwarm.codec.frames import Frame, SseDecoder
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.events import (
    Event,
    Failed,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from keepwarm.upstream.failures import failure

_REASONS: Final = {
    "end_turn": "end",
    "tool_use": "tools",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "refusal": "refusal",
}
_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}

_NOTHING: Final = msgspec.Raw()


class _Block(msgspec.Struct, frozen=True):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    input: msgspec.Raw = _NOTHING


class _Delta(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Counts(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct, frozen=True):
    type: str = ""
    id: str = ""
    model: str = ""
    content: list[_Block] = []
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _Counts | None = None


class _Error(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str = ""


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Counts | None = None
    error: _Error | str | None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_MESSAGE: Final = msgspec.json.Decoder(_Message)


class AnthropicReader:
    """One answer's bytes in, core events out.

    stream  True for an event stream, False for one JSON body, of which nothing is told before its end
    """

    def __init__(self, stream: bool = True) -> None:
        self._frames = SseDecoder() if stream else None
        self._pieces: list[bytes] = []
        self._counts = _Counts()
        self._slots: dict[int, int] = {}
        self._silent: set[int] = set()
        self._calls = 0
        self._stopped: tuple[str, str | None] | None = None
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises ValueError for an event over the limit of `SseDecoder`."""
        if self._frames is None:
            self._pieces.append(data)
            return []
        return [event for frame in self._frames.feed(data) for event in self._frame(frame)]

    def finish(self) -> list[Event]:
        """The answer's bytes have ended: what that leaves to say. An answer that broke off has Failed."""
        if self._frames is None:
            events = [] if self._over else self._whole(b"".join(self._pieces))
        else:
            events = [event for frame in self._frames.finish() for event in self._frame(frame)]
        if self._over:
            return events
        self._over = True
        if self._stopped is not None:  # some servers leave message_stop out
            return [*events, self._finished(*self._stopped)]
        return [*events, Failed(0, "the model server ended its answer in the middle", "broken", usage=self._usage())]

    def _whole(self, body: bytes) -> list[Event]:
        """The events of one JSON body; what ends them is told by `finish`."""
        try:
            message = _MESSAGE.decode(body)
        except UNREADABLE:
            return []
        if message.type == "error":
            self._over = True
            return [_failed(body, Usage())]
        if message.stop_reason is None:
            return []
        self._count(message.usage)
        self._stopped = message.stop_reason, message.stop_sequence
        blocks = [event for index, block in enumerate(message.content) for event in self._block(block, index)]
        return [Started(message.id, message.model), *blocks]

    def _frame(self, frame: Frame) -> list[Event]:
        if self._over:
            return []
        try:
            said = _EVENT.decode(frame.data)
        except UNREADABLE:
            return []
        match said.type or frame.event:
            case "message_start" if said.message is not None:
                self._count(said.message.usage)
                usage = replace(self._usage(), output_tokens=None)
                return [Started(said.message.id, said.message.model, usage)]
            case "content_block_start" if said.content_block is not None:
                return self._block(said.content_block, said.index)
            case "content_block_delta" if said.delta is not None:
                return self._delta(said.delta, said.index)
            case "content_block_stop" if said.index in self._silent:
                # A call without arguments: no text came, {} is what the client has.
                self._silent.discard(said.index)
                return [ToolDelta(self._slots[said.index], "{}")]
            case "message_delta":
                self._count(said.usage)
                if said.delta is not None and said.delta.stop_reason is not None:
                    self._stopped = said.delta.stop_reason, said.delta.stop_sequence
            case "message_stop":
                self._over = True
                return [self._finished(*(self._stopped or ("end_turn", None)))]
            case "error":
                self._over = True
                return [_failed(frame.data, self._usage())]
        return []

    def _block(self, block: _Block, index: int) -> list[Event]:
        match block.type:
            case "text":
                return [TextDelta(block.text)] if block.text else []
            case "thinking":
                signature = block.signature or ""
                return [ThinkingDelta(block.thinking, signature)] if block.thinking or signature else []
            case "tool_use":
                slot = self._slots[index] = self._calls
                self._calls += 1
                arguments = str(bytes(block.input), "utf-8", "replace")
                start = ToolStart(slot, block.id, block.name)
                # In a stream the input starts as {} and the text follows; in a body {} is the text.
                if self._frames is not None and arguments.replace(" ", "") in ("", "{}"):
                    self._silent.add(index)
                    return [start]
                return [start, ToolDelta(slot, arguments or "{}")]
        return []

    def _delta(self, delta: _Delta, index: int) -> list[Event]:
        match delta.type:
            case "text_delta" if delta.text:
                return [TextDelta(delta.text)]
            case "thinking_delta" if delta.thinking:
                return [ThinkingDelta(delta.thinking)]
            case "signature_delta" if delta.signature:
                return [ThinkingDelta("", delta.signature)]
            case "input_json_delta" if delta.partial_json and index in self._slots:
                self._silent.discard(index)
                return [ToolDelta(self._slots[index], delta.partial_json)]
        return []

    def _count(self, counts: _Counts | None) -> None:
        """Later counts replace earlier ones, but a 0 does not replace a count that is known."""
        if counts is not None:
            pairs = zip(msgspec.structs.astuple(counts), msgspec.structs.astuple(self._counts), strict=True)
            self._counts = _Counts(*[old if new is None else new or old or 0 for new, old in pairs])

    def _usage(self) -> Usage:
        fresh, output, read, written = msgspec.structs.astuple(self._counts)
        prompt = None if fresh is None else fresh + (read or 0) + (written or 0)
        # No prompt has 0 tokens: a server that says so has not counted.
        return Usage(prompt or None, read, output, written_tokens=written)

    def _finished(self, reason: str, stop_sequence: str | None) -> Finished:
        return Finished(_REASONS.get(reason, reason), stop_sequence, self._usage())


def _failed(data: bytes, usage: Usage) -> Failed:
    """What an error event says; its type stands for the HTTP status that it comes too late for."""
    try:
        error = _EVENT.decode(data).error
    except UNREADABLE:
        error = None
    status = _STATUSES.get(error.type or "", 500) if isinstance(error, _Error) else 500
    return replace(failure(status, {}, data), usage=usage)
