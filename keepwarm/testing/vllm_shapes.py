"""The streams of vLLM's two endpoints, field for field as its server writes them (0.32).

`ChatStream`: a chunk with the role, deltas, a chunk with the finish_reason, with `stream_options.include_usage` a chunk
of no choices with the usage, [DONE]. Reasoning goes by the name `reasoning`. `MessagesStream`: the count of the whole
prompt comes with message_start, and what of it was cached only with message_delta; reasoning ends in a signature.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from keepwarm.testing.answers import PIECE, Answer

DONE: Final = b"data: [DONE]\n\n"
Json = dict[str, Any]
_REASONS: Final = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


class Counted(msgspec.Struct, frozen=True):
    """What vLLM says of a prompt that it has read."""

    prompt: int
    """Tokens of the prompt."""
    cached: int | None
    """Of these, tokens found in the prefix cache; None where it does not say."""


class ChatStream:
    """Writes the chunks of one chat completion."""

    def __init__(self, *, name: str, model: str, created: int, with_usage: bool) -> None:
        """name        a word that no other completion has
        created     seconds since 1970
        with_usage  whether the request asks for the chunk with the usage
        """
        self._id = f"chatcmpl-{name}"
        self._model, self._created, self._with_usage = model, created, with_usage

    def start(self, counted: Counted) -> bytes:
        """What the answer begins with."""
        return self._chunk({"role": "assistant", "content": ""})

    def deltas(self, answer: Answer, call_ids: tuple[str, ...]) -> Iterator[bytes]:
        """The chunks of reasoning, words and tool calls, in that order; a call's name comes before its arguments."""
        for name, words in (("reasoning", answer.thinking), ("content", answer.text)):
            for piece in _pieces(words):
                yield self._chunk({name: piece})
        for index, ((name, arguments), call_id) in enumerate(zip(answer.tool_calls, call_ids, strict=True)):
            call = {"id": call_id, "type": "function", "index": index, "function": {"name": name}}
            yield self._chunk({"tool_calls": [call]})
            for piece in _pieces(arguments):
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})

    def ending(self, answer: Answer, counted: Counted, generated: int) -> bytes:
        """The last chunks, [DONE] included; `generated` counts the token that ends the turn."""
        last = self._chunk({}, finish=answer.finish_reason)
        if not self._with_usage:
            return last + DONE
        usage: Json = {
            "prompt_tokens": counted.prompt,
            "total_tokens": counted.prompt + generated,
            "completion_tokens": generated,
        }
        if counted.cached is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": counted.cached}
        return last + self._data([], usage=usage) + DONE

    def _chunk(self, delta: Json, *, finish: str | None = None) -> bytes:
        choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        if finish is not None:
            choice["stop_reason"] = None
        return self._data([choice | {"token_ids": None}])

    def _data(self, choices: list[Json], **more: Json) -> bytes:
        whole = {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        return b"data: " + msgspec.json.encode({**whole, "choices": choices, **more}) + b"\n\n"


class MessagesStream:
    """Writes the events of one answer in the Messages API."""

    def __init__(self, *, name: str, model: str) -> None:
        """name   a word that no other answer has"""
        self._id, self._model = f"chatcmpl-{name}", model

    def start(self, counted: Counted) -> bytes:
        """The first event: it counts the whole prompt as read, since the cache is not told of yet."""
        message: Json = {"id": self._id, "type": "message", "role": "assistant", "content": [], "model": self._model}
        usage = {"input_tokens": counted.prompt, "output_tokens": 0}
        message |= {"stop_reason": None, "stop_sequence": None, "usage": usage}
        return _event({"type": "message_start", "message": message})

    def deltas(self, answer: Answer, call_ids: tuple[str, ...]) -> Iterator[bytes]:
        """The blocks of the answer, piece by piece; each piece comes with what opens or closes its block."""
        for at, (block, row) in enumerate(_blocks(answer, call_ids)):
            opening = _event({"type": "content_block_start", "index": at, "content_block": block})
            closing = _event({"type": "content_block_stop", "index": at})
            for place, piece in enumerate(row):
                delta = _event({"type": "content_block_delta", "index": at, "delta": piece})
                yield (b"" if place else opening) + delta + (closing if place == len(row) - 1 else b"")

    def ending(self, answer: Answer, counted: Counted, generated: int) -> bytes:
        """The last events, with the counts; `generated` counts the token that ends the turn."""
        usage = {"input_tokens": counted.prompt - (counted.cached or 0), "output_tokens": generated}
        if counted.cached is not None:
            usage["cache_read_input_tokens"] = counted.cached
        delta = {"stop_reason": _REASONS[answer.finish_reason], "stop_sequence": None}
        return _event({"type": "message_delta", "delta": delta, "usage": usage}) + _event({"type": "message_stop"})


def _blocks(answer: Answer, call_ids: tuple[str, ...]) -> Iterator[tuple[Json, list[Json]]]:
    """(the block as it opens, its deltas) for each block of an answer."""
    if answer.thinking:
        row: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(answer.thinking)]
        signed = {"type": "signature_delta", "signature": secrets.token_hex(16)}
        yield {"type": "thinking", "thinking": ""}, [*row, signed]
    if answer.text:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(answer.text)]
    for (name, arguments), call_id in zip(answer.tool_calls, call_ids, strict=True):
        block = {"type": "tool_use", "id": call_id, "input": {}, "name": name}
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments)]


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _event(value: Json) -> bytes:
    return f"event: {value['type']}\n".encode() + b"data: " + msgspec.json.encode(value) + b"\n\n"
