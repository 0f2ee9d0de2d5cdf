"""The answer as chat completions tell it: a stream of chunks, or one JSON body.

    chunk(role)  chunk(reasoning_content | content | tool_calls)*  chunk(finish_reason)  [chunk(usage)]  [DONE]

with a comment anywhere between two frames to keep the connection alive. The usage chunk has no choices and comes only
when it was asked for (`stream_options.include_usage`). `reasoning_content` is llama.cpp's, vLLM's and DeepSeek's name.
Source: the OpenAI API reference, "Chat completion chunk object".
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from keepwarm.core.answer import AnswerCollector
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
from keepwarm.wire.openai_errors import error_body, error_event
from keepwarm.wire.writing import BodyWriter, Mint, StreamWriter

PING: Final = b": ping\n\n"
"""A comment: no reader of event streams tells its program of it (WHATWG HTML, 9.2.6)."""
_DONE: Final = b"data: [DONE]\n\n"
_REASONS: Final = {
    "end": "stop",
    "stop": "stop",
    "tools": "tool_calls",
    "length": "length",
    "refusal": "content_filter",
    # Anthropic's own, from a server that speaks its protocol.
    "pause_turn": "stop",
    "model_context_window_exceeded": "length",
}
_encode: Final = msgspec.json.encode


class ChunkWriter(StreamWriter):
    """Core events in, SSE bytes out.

    head   what stands on every chunk: `id`, `object`, `created`, `model`
    mint   see `AnswerWriter`
    usage  whether the client asked for the usage chunk
    """

    def __init__(self, head: Head, mint: Mint | None, usage: bool) -> None:
        super().__init__(mint, partial(_whole, head), PING, error_event)
        fields = _encode({"id": head.id, "object": "chat.completion.chunk", "created": head.created})
        self._before = fields[:-1] + b',"model":' + _encode(head.model) + b',"choices":['
        # Who asks for usage finds the member on every chunk, null until the last.
        self._behind = b'],"usage":null}' if usage else b"]}"
        self._usage = usage
        self._begun = False

    def _tell(self, event: Event) -> bytes:
        self._collector.feed(event)
        match event:
            case Started():
                return self._begin()
            case TextDelta(text) if text:
                return self._begin() + self._chunk(b'{"content":' + _encode(text) + b"}")
            case ThinkingDelta(text) if text:
                return self._begin() + self._chunk(b'{"reasoning_content":' + _encode(text) + b"}")
            case ToolStart(slot):
                number = self._collector.number_of(slot) or 0
                call = self._collector.call(number)
                start = {"index": number, "id": call.id, "type": "function"}
                function = {"name": call.name, "arguments": ""}
                return self._begin() + self._calls(_encode(start | {"function": function}))
            case ToolDelta(slot, arguments) if arguments and (found := self._collector.number_of(slot)) is not None:
                return self._calls(b'{"index":%d,"function":{"arguments":%b}}' % (found, _encode(arguments)))
            case Finished():
                return self._finish()
            case _:
                return b""

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return self._chunk(b'{"role":"assistant","content":null}')

    def _calls(self, call: bytes) -> bytes:
        return self._chunk(b'{"tool_calls":[' + call + b"]}")

    def _finish(self) -> bytes:
        reason = finish_reason(self._finished.reason, bool(self.answer.calls))
        out = self._begin() + self._chunk(b"{}", _encode(reason))
        if self._usage:
            usage = _encode(usage_fields(self.usage))
            out += b"data: " + self._before + b'],"usage":' + usage + b"}\n\n"
        return out + _DONE

    def _chunk(self, delta: bytes, reason: bytes = b"null") -> bytes:
        choice = b'{"index":0,"delta":' + delta + b',"finish_reason":' + reason + b"}"
        return b"data: " + self._before + choice + self._behind + b"\n\n"


def completion_writer(head: Head, mint: Mint | None) -> BodyWriter:
    """For an answer that is not streamed; the arguments are ChunkWriter's."""
    return BodyWriter(mint, partial(_whole, head), error_body)


class Head(msgspec.Struct, frozen=True):
    """What stands on a completion and on each of its chunks."""

    id: str
    created: int
    """Unix seconds."""
    model: str


def usage_fields(usage: Usage) -> dict[str, object]:
    """Usage as this API counts: `prompt_tokens` is the whole prompt.

    The cached count is left out where the server did not report one: 0 would say that nothing was cached.
    """
    prompt, output = usage.prompt_tokens or 0, usage.output_tokens or 0
    fields: dict[str, object] = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    if usage.cached_tokens is not None:
        fields["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    return fields


def finish_reason(reason: str, has_calls: bool) -> str:
    """This API's word for `Finished.reason`; "tool_calls" exactly when there is a call to run and nothing cut it."""
    if reason == "tools" or reason not in _REASONS:
        reason = "end"
    return "tool_calls" if reason == "end" and has_calls else _REASONS[reason]


def _whole(head: Head, collector: AnswerCollector, finished: Finished, _: Diagnosis | None) -> bytes:
    answer = collector.answer
    message: dict[str, object] = {"role": "assistant", "content": answer.text or None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.calls
        ]
    reason = finish_reason(finished.reason, bool(answer.calls))
    return _encode(
        {
            "id": head.id,
            "object": "chat.completion",
            "created": head.created,
            "model": head.model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
            "usage": usage_fields(collector.usage),
        }
    )
