"""The chat completions answer, streamed or whole, as events.

Source: the OpenAI API reference; llama.cpp's `server-task.cpp` for `timings`, `prompt_progress`,
`reasoning_content` and the error frame; seen on xllamacpp 2026.10. The usage chunk comes behind the one with
the finish reason, so the answer is finished when the stream is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from keepwarm.codec.frames import Frame, SseDecoder
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.events import (
    Event,
    Failed,
    Finished,
    Progress,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)


class _Function(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Said | None = None
    message: _Said | None = None
    index: int = 0
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Timings(msgspec.Struct, frozen=True):
    cache_n: int | None = None
    prompt_n: int | None = None
    prompt_ms: float | None = None
    predicted_n: int | None = None
    predicted_ms: float | None = None


class _Progress(msgspec.Struct, frozen=True):
    total: int = 0
    cache: int = 0
    processed: int = 0
    time_ms: float = 0.0


class _Chunk(msgspec.Struct, frozen=True):
    id: str = ""
    model: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None
    timings: _Timings | None = None
    prompt_progress: _Progress | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_REASONS = {
    "stop": "end",
    "tool_calls": "tools",
    "function_call": "tools",
    "length": "length",
    "content_filter": "refusal",
}


class ChatReader:
    """Reads one chat completions answer. A stream that ends without a finish reason has Failed.

    listening  the answer passes by unchanged: what cannot be read of it is passed over, and breaks nothing
    """

    def __init__(self, stream: bool, *, listening: bool = False) -> None:
        self._listening = listening
        self._sse = SseDecoder() if stream else None
        self._whole: list[bytes] = []
        self._started = False
        self._calls: dict[int, tuple[str, str]] = {}
        self._reason: str | None = None
        self._stop: str | None = None
        self._usage = Usage()
        self._failed: Failed | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; nothing before the end for an answer that is not streamed."""
        if self._sse is None:
            self._whole.append(data)
            return []
        events: list[Event] = []
        for frame in self._sse.feed(data):
            self._frame(frame, events)
        return events

    def finish(self) -> list[Event]:
        """What is left, with Finished or Failed as the last event (Failed is not said twice)."""
        events: list[Event] = []
        if self._sse is not None:
            for frame in self._sse.finish():
                self._frame(frame, events)
        elif self._failed is None:
            self._chunk(b"".join(self._whole), events)
        if self._failed is None:
            events.append(self._end())
        return events

    def _end(self) -> Finished | Failed:
        if self._reason is None:
            return Failed(0, "the model server ended its answer in the middle", "broken", usage=self._usage)
        reason = _REASONS.get(self._reason, self._reason)
        if reason == "end" and self._calls:
            reason = "tools"
        return Finished("stop" if self._stop is not None else reason, self._stop, self._usage)

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        if frame.data == b"[DONE]" or self._failed is not None:
            return
        self._chunk(frame.data, events)

    def _chunk(self, data: bytes, events: list[Event]) -> None:
        try:
            chunk = _CHUNK.decode(data)
        except UNREADABLE as error:
            if self._listening:
                return
            self._fail(
                Failed(0, f"the model server sent something that is not its protocol: {error}", "broken"), events
            )
            return
        if chunk.error is not None:
            self._fail(_error(chunk.error), events)
            return
        if (progress := chunk.prompt_progress) is not None:
            events.append(Progress(progress.total, progress.cache, progress.processed, progress.time_ms))
        if not self._started:  # behind its progress, so that whoever writes the start knows the prompt's size
            self._started = True
            events.append(Started(chunk.id, chunk.model))
        self._count(chunk)
        for choice in [choice for choice in chunk.choices if choice.index == 0][:1]:
            self._say(choice.delta or choice.message or _Said(), events)
            self._reason = choice.finish_reason or self._reason
            if isinstance(choice.stop_reason, str):
                self._stop = choice.stop_reason

    def _say(self, said: _Said, events: list[Event]) -> None:
        if reasoning := said.reasoning_content or said.reasoning:
            events.append(ThinkingDelta(reasoning))
        if said.content:
            events.append(TextDelta(said.content))
        for at, call in enumerate(said.tool_calls or ()):
            slot = call.index if call.index is not None else at
            if slot not in self._calls:
                self._calls[slot] = (call.id or "", call.function.name or "")
                events.append(ToolStart(slot, call.id or "", call.function.name or ""))
            if call.function.arguments:
                events.append(ToolDelta(slot, call.function.arguments))

    def _count(self, chunk: _Chunk) -> None:
        if (usage := chunk.usage) is not None:
            cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
            self._usage = Usage(usage.prompt_tokens, cached, usage.completion_tokens).over(self._usage)
        if (timings := chunk.timings) is not None:
            total = None
            if timings.cache_n is not None and timings.prompt_n is not None:
                total = timings.cache_n + timings.prompt_n
            mine = Usage(total, timings.cache_n, timings.predicted_n, timings.prompt_ms, timings.predicted_ms)
            self._usage = self._usage.over(mine) if chunk.usage is not None else mine.over(self._usage)

    def _fail(self, failed: Failed, events: list[Event]) -> None:
        self._failed = failed
        events.append(failed)


def _error(error: Any) -> Failed:
    if isinstance(error, dict):
        code = error.get("code")
        return Failed(code if isinstance(code, int) else 500, str(error.get("message") or error), "server")
    return Failed(500, str(error), "server")
