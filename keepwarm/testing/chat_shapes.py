"""The JSON of llama.cpp's /v1/chat/completions, field for field as its server writes it (measured on build 11549).

Stream: progress chunks if asked for (`return_progress`), a chunk with the role, deltas, a chunk with the
finish_reason, then with `stream_options.include_usage` a chunk of no choices with usage and timings, else the timings
stand on the chunk before; [DONE].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from keepwarm.testing.answers import PIECE, Answer

DONE: Final = b"data: [DONE]\n\n"
Json = dict[str, Any]


class Counts(msgspec.Struct, frozen=True):
    """The numbers of one completion, from the engine's own `timings`."""

    cached: int
    """Prompt tokens taken from the slot or the host cache."""
    prefilled: int
    """Prompt tokens processed."""
    generated: int
    """Tokens of the answer, the end-of-turn token included."""
    prompt_ms: float
    """Milliseconds of processing the prompt."""

    def usage(self) -> Json:
        """The `usage` object."""
        prompt = self.cached + self.prefilled
        return {
            "completion_tokens": self.generated,
            "prompt_tokens": prompt,
            "total_tokens": prompt + self.generated,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }

    def timings(self) -> Json:
        """The `timings` object; generating took no time, since nothing was generated."""
        each = self.prompt_ms / max(1, self.prefilled)
        return {
            "cache_n": self.cached,
            "prompt_n": self.prefilled,
            "prompt_ms": self.prompt_ms,
            "prompt_per_token_ms": each,
            "prompt_per_second": 1000.0 / each if each else 0.0,
            "predicted_n": self.generated,
            "predicted_ms": 0.0,
            "predicted_per_token_ms": 0.0,
            "predicted_per_second": 0.0,
        }


class ChatShape:
    """Writes the chunks, or the one object, of a single completion."""

    def __init__(self, *, completion_id: str, model: str, created: int) -> None:
        """completion_id `chatcmpl-...`, created in seconds since 1970; both stand on every chunk."""
        self._tail: Json = {"created": created, "id": completion_id, "model": model, "system_fingerprint": "b0-unknown"}

    def progress(self, prompt_progress: Json) -> bytes:
        """A chunk that tells how far the prompt is processed: {total, cache, processed, time_ms}."""
        return self._chunk({"role": "assistant", "content": None}, prompt_progress=prompt_progress)

    def role(self) -> bytes:
        """The first chunk of the answer itself."""
        return self._chunk({"role": "assistant", "content": None})

    def start(self, counts: Counts) -> bytes:
        """What the answer begins with."""
        return self.role()

    def deltas(self, answer: Answer, call_ids: tuple[str, ...]) -> Iterator[bytes]:
        """The chunks of thinking, text and tool calls, in that order; a call's name comes with its first piece."""
        for piece in _pieces(answer.thinking):
            yield self._chunk({"reasoning_content": piece})
        for piece in _pieces(answer.text):
            yield self._chunk({"content": piece})
        for index, ((name, arguments), call_id) in enumerate(zip(answer.tool_calls, call_ids, strict=True)):
            first, *rest = list(_pieces(arguments)) or [""]
            function = {"name": name, "arguments": first}
            yield self._chunk(
                {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
            )
            for piece in rest:
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def ending(self, answer: Answer, counts: Counts, *, with_usage: bool) -> bytes:
        """The last chunks, [DONE] included."""
        if not with_usage:
            return self._chunk({}, finish=answer.finish_reason, timings=counts.timings()) + DONE
        final = {"choices": [], **self._tail, "object": "chat.completion.chunk"}
        final |= {"usage": counts.usage(), "timings": counts.timings()}
        return self._chunk({}, finish=answer.finish_reason) + event(final) + DONE

    def whole(self, answer: Answer, call_ids: tuple[str, ...], counts: Counts) -> bytes:
        """The body of an answer that is not streamed."""
        message: Json = {"role": "assistant", "content": answer.text or None}
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if answer.tool_calls:
            message["tool_calls"] = [
                {"type": "function", "function": {"name": name, "arguments": arguments}, "id": call_id}
                for (name, arguments), call_id in zip(answer.tool_calls, call_ids, strict=True)
            ]
        choice = {"finish_reason": answer.finish_reason, "index": 0, "message": message}
        whole = {"choices": [choice], **self._tail, "object": "chat.completion"}
        return msgspec.json.encode(whole | {"usage": counts.usage(), "timings": counts.timings()})

    def error(self, status: int, message: str, kind: str) -> Json:
        """An error, in a body or in the stream."""
        return error_body(status, message, kind)

    def _chunk(self, delta: Json, *, finish: str | None = None, **extra: Json) -> bytes:
        choice = {"finish_reason": finish, "index": 0, "delta": delta}
        return event({"choices": [choice], **self._tail, "object": "chat.completion.chunk", **extra})


def event(value: Json) -> bytes:
    """One server-sent event as llama.cpp writes it: a data line and an empty line."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def error_body(status: int, message: str, kind: str) -> Json:
    """llama.cpp's error object; the same in a body and in a stream."""
    return {"error": {"code": status, "message": message, "type": kind}}


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE):
        yield text[start : start + PIECE]
