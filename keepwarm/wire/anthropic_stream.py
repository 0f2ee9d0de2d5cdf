"""The answer as the Messages API tells it: a stream of events, or one JSON body.

    message_start  (content_block_start content_block_delta* content_block_stop)*  message_delta  message_stop

with a ping anywhere, also before message_start, and an error event in the place of all that is still to come. One
block is open at a time; reasoning ends with its signature_delta. Source: docs.anthropic.com, "Streaming Messages".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final, Literal

import msgspec

from keepwarm.codec.frames import sse
from keepwarm.codec.json_text import is_object
from keepwarm.core.answer import AnswerCollector, Part
from keepwarm.core.events import (
    Diagnosis,
    Event,
    Finished,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from keepwarm.wire.anthropic_errors import error_body, error_event
from keepwarm.wire.writing import BodyWriter, Mint, StreamWriter

_PING: Final = sse("ping", b'{"type":"ping"}')
_REASONS: Final = {
    "end": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "stop": "stop_sequence",
    "refusal": "refusal",
    # Anthropic's own, from a server that speaks its protocol.
    "pause_turn": "pause_turn",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
_encode: Final = msgspec.json.encode


class MessageWriter(StreamWriter):
    """Core events in, SSE bytes out.

    message_id  non-empty and unique: Claude Code merges turns with one id
    mint        see `AnswerWriter`
    """

    def __init__(self, message_id: str, model: str, mint: Mint | None) -> None:
        super().__init__(mint, partial(_whole, message_id, model), _PING, error_event)
        self._id = message_id
        self._model = model
        self._begun = False
        self._blocks = 0
        self._open: Literal["", "text", "thinking", "call"] = ""
        self._call = -1
        self._waiting: list[int] = []

    def _tell(self, event: Event) -> bytes:
        match event:
            case Diagnosis():
                return b""
            case Started():
                return self._begin()
            case TextDelta(text):
                return self._text(event, text) if text else b""
            case ThinkingDelta():
                return self._thinking(event)
            case ToolStart():
                return self._tool_start(event)
            case ToolDelta():
                return self._tool_delta(event)
            case Finished():
                return self._finish(event)
            case _:
                self._collector.feed(event)
                return b""

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = _message(self._id, self._model, [], None, None, self.usage) | _diagnostics(self._diagnosis)
        return sse("message_start", _encode({"type": "message_start", "message": message}))

    def _text(self, event: TextDelta, text: str) -> bytes:
        out = b"" if self._open == "text" else self._close_all() + self._start("text", {"type": "text", "text": ""})
        self._collector.feed(event)
        return out + self._delta(b'"text_delta","text":' + _encode(text))

    def _thinking(self, event: ThinkingDelta) -> bytes:
        if not event.text and not event.signature:
            return b""
        out = b""
        if self._open != "thinking":
            block: dict[str, object] = {"type": "thinking", "thinking": "", "signature": ""}
            out = self._close_all() + self._start("thinking", block)
        self._collector.feed(event)
        if event.text:
            out += self._delta(b'"thinking_delta","thinking":' + _encode(event.text))
        return out + self._close() if event.signature else out

    def _tool_start(self, event: ToolStart) -> bytes:
        if self._open == "call" and not is_object(self._collector.call(self._call).arguments):
            # Calls that are generated side by side: one block at a time is told, the others wait.
            self._collector.feed(event)
            self._waiting.append(self._collector.number_of(event.slot) or 0)
            return b""
        out = self._close()
        self._collector.feed(event)
        return out + self._start_call(self._collector.number_of(event.slot) or 0)

    def _tool_delta(self, event: ToolDelta) -> bytes:
        self._collector.feed(event)
        if self._open != "call" or self._collector.number_of(event.slot) != self._call or not event.arguments:
            return b""
        out = self._delta(b'"input_json_delta","partial_json":' + _encode(event.arguments))
        while self._waiting and is_object(self._collector.call(self._call).arguments):
            out += self._close() + self._start_call(self._waiting.pop(0))
        return out

    def _finish(self, event: Finished) -> bytes:
        out = self._begin() + self._close_all()
        self._collector.feed(event)
        delta = {
            "stop_reason": stop_reason(event.reason, bool(self.answer.calls)),
            "stop_sequence": event.stop_sequence,
        }
        tail = {"type": "message_delta", "delta": delta, "usage": usage_fields(self.usage)}
        return out + sse("message_delta", _encode(tail)) + sse("message_stop", b'{"type":"message_stop"}')

    def _start_call(self, number: int) -> bytes:
        """Open a call's block with as much of its arguments as there is."""
        call = self._collector.call(number)
        self._call = number
        out = self._start("call", {"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        return out + (
            self._delta(b'"input_json_delta","partial_json":' + _encode(call.arguments)) if call.arguments else b""
        )

    def _start(self, kind: Literal["text", "thinking", "call"], block: dict[str, object]) -> bytes:
        out = self._begin()
        self._open = kind
        start = {"type": "content_block_start", "index": self._blocks, "content_block": block}
        return out + sse("content_block_start", _encode(start))

    def _delta(self, delta: bytes) -> bytes:
        return (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b}}\n\n'
            % (
                self._blocks,
                delta,
            )
        )

    def _close(self) -> bytes:
        if not self._open:
            return b""
        out = b""
        if self._open == "thinking":
            out = self._delta(b'"signature_delta","signature":' + _encode(self._collector.newest_signature()))
        out += sse("content_block_stop", b'{"type":"content_block_stop","index":%d}' % self._blocks)
        self._open = ""
        self._blocks += 1
        return out

    def _close_all(self) -> bytes:
        out = self._close()
        while self._waiting:
            out += self._start_call(self._waiting.pop(0)) + self._close()
        return out


def whole_writer(message_id: str, model: str, mint: Mint | None) -> BodyWriter:
    """For an answer that is not streamed; the arguments are MessageWriter's."""
    return BodyWriter(mint, partial(_whole, message_id, model), error_body)


def whole_message(message_id: str, model: str, mint: Mint, events: Iterable[Event]) -> bytes:
    """The JSON body for a whole row of events that ends in Finished."""
    writer = whole_writer(message_id, model, mint)
    for event in events:
        writer.feed(event)
    return writer.whole()


def usage_fields(usage: Usage) -> dict[str, int]:
    """Usage as Anthropic counts: `input_tokens` is what was neither read from the cache nor written to it.

    A cache field that the server did not report is left out: 0 would say that nothing was cached.
    """
    cached, written = usage.cached_tokens, usage.written_tokens
    fields = {"input_tokens": max(0, (usage.prompt_tokens or 0) - (cached or 0) - (written or 0))}
    if written is not None:
        fields["cache_creation_input_tokens"] = written
    if cached is not None:
        fields["cache_read_input_tokens"] = cached
    return fields | {"output_tokens": usage.output_tokens or 0}


def stop_reason(reason: str, has_calls: bool) -> str:
    """Anthropic's word for `Finished.reason`; a server's own word that Anthropic has none for is an ordinary end.

    "tool_use" is said exactly when there is a call to run: servers say "stop" behind one, and "tool_calls" where their
    parser found none, and an agent that believes either waits for nothing.
    """
    if reason == "tools" or reason not in _REASONS:
        reason = "end"
    return "tool_use" if reason == "end" and has_calls else _REASONS[reason]


def _message(
    message_id: str,
    model: str,
    content: list[dict[str, object]],
    reason: str | None,
    stop_sequence: str | None,
    usage: Usage,
) -> dict[str, object]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop_sequence,
        "usage": usage_fields(usage),
    }


def _whole(
    message_id: str, model: str, collector: AnswerCollector, finished: Finished, diagnosis: Diagnosis | None
) -> bytes:
    parts = collector.parts
    reason = stop_reason(finished.reason, any(part.call for part in parts))
    content = [_block(part) for part in parts]
    message = _message(message_id, model, content, reason, finished.stop_sequence, collector.usage)
    return _encode(message | _diagnostics(diagnosis))


def _diagnostics(diagnosis: Diagnosis | None) -> dict[str, object]:
    """The member for a client that has asked for it; null where its request parts from no older one."""
    if diagnosis is None:
        return {}
    if not diagnosis.reason:
        return {"diagnostics": None}
    missed = {} if diagnosis.missed is None else {"cache_missed_input_tokens": diagnosis.missed}
    return {"diagnostics": {"cache_miss_reason": {"type": diagnosis.reason} | missed}}


def _block(part: Part) -> dict[str, object]:
    if part.call is not None:
        # What was cut off cannot stand in a JSON body: the client gets {}, the Answer keeps the text.
        arguments = part.call.arguments if is_object(part.call.arguments) else "{}"
        raw = msgspec.Raw(arguments.encode())
        return {"type": "tool_use", "id": part.call.id, "name": part.call.name, "input": raw}
    if part.kind == "thinking":
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    return {"type": "text", "text": part.text}
