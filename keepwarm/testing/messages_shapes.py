"""The Messages API as llama.cpp serves it: what it makes of a request, and the JSON of its answers (build 11549).

`as_chat` is its translation, which the tests hold against the real one token by token: system blocks in a row with
nothing between, the words of a user's message before the tool results that stand in it, inline system messages at
their place. `hoisted` is what other servers and proxies do with those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from keepwarm.testing.answers import PIECE, Answer
from keepwarm.testing.chat_shapes import Counts

Json = dict[str, Any]
_REASONS: Final = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}


def as_chat(asked: Json) -> Json:
    """The chat completions body that the server makes of a Messages body."""
    head = _joined(asked.get("system"))
    messages: list[Json] = [{"role": "system", "content": head}] if head else []
    for message in asked["messages"]:
        messages += _converted(message)
    chat: Json = {"messages": messages, "stream": bool(asked.get("stream"))}
    if asked.get("tools"):
        chat["tools"] = [_tool(tool) for tool in asked["tools"]]
    return chat | {name: asked[name] for name in ("model", "max_tokens", "id_slot") if name in asked}


def hoisted(chat: Json) -> Json:
    """A chat completions body with all system messages in one at the head."""
    said = [message for message in chat["messages"] if message["role"] == "system"]
    rest = [message for message in chat["messages"] if message["role"] != "system"]
    head = "\n\n".join(_joined(message["content"]) for message in said)
    return chat | {"messages": [{"role": "system", "content": head}, *rest] if said else rest}


def _converted(message: Json) -> list[Json]:
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    parts = [part for block in content if (part := _part(block)) is not None]
    made: Json = {"role": role}
    if parts or role == "system":
        made["content"] = parts
    thinking = "".join(block["thinking"] for block in content if block["type"] == "thinking")
    calls = [_call(block) for block in content if block["type"] == "tool_use"]
    if thinking:
        made["reasoning_content"] = thinking
    if calls:
        made["tool_calls"] = calls
    if role == "assistant" and "content" not in made:
        made["content"] = ""
    results = [
        {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _joined(block.get("content"))}
        for block in content
        if block["type"] == "tool_result"
    ]
    return [made, *results] if len(made) > 1 else results


def _part(block: Json) -> Json | None:
    """A text or a picture; None for another block."""
    match block["type"]:
        case "text":
            return {"type": "text", "text": block["text"]}
        case "image":
            source = block["source"]
            url = source.get("url") or f"data:{source['media_type']};base64,{source['data']}"
            return {"type": "image_url", "image_url": {"url": url}}
    return None


def _call(block: Json) -> Json:
    arguments = msgspec.json.encode(block["input"]).decode()
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": arguments}}


def _tool(tool: Json) -> Json:
    function = {
        "name": tool["name"],
        "description": tool.get("description", ""),
        "parameters": tool.get("input_schema", {}),
    }
    return {"type": "function", "function": function}


def _joined(content: Any) -> str:
    """The words of a string, of text blocks with nothing between, or of nothing."""
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content or () if block.get("type") == "text")


class MessagesShape:
    """Writes the events, or the one object, of a single answer; the methods are those of `ChatShape`."""

    def __init__(self, *, message_id: str, model: str) -> None:
        self._id = message_id
        self._model = model

    def progress(self, prompt_progress: Json) -> bytes:
        """Nothing: this endpoint does not tell how far a prompt is processed."""
        return b""

    def start(self, counts: Counts) -> bytes:
        """The first event, which holds the counts."""
        return _event({"type": "message_start", "message": self._message([], None, counts, 0)})

    def deltas(self, answer: Answer, call_ids: tuple[str, ...]) -> Iterator[bytes]:
        """The blocks of the answer, piece by piece; each piece comes with what opens or closes its block."""
        for at, (block, pieces) in enumerate(_blocks(answer, call_ids)):
            opening = _event({"type": "content_block_start", "index": at, "content_block": block})
            closing = _event({"type": "content_block_stop", "index": at})
            for place, piece in enumerate(pieces):
                delta = _event({"type": "content_block_delta", "index": at, "delta": piece})
                last = place == len(pieces) - 1
                yield (opening if not place else b"") + delta + (closing if last else b"")

    def ending(self, answer: Answer, counts: Counts, *, with_usage: bool) -> bytes:
        """The last events."""
        delta = {"stop_reason": _REASONS[answer.finish_reason], "stop_sequence": None}
        usage = {"output_tokens": counts.generated}
        return _event({"type": "message_delta", "delta": delta, "usage": usage}) + _event({"type": "message_stop"})

    def whole(self, answer: Answer, call_ids: tuple[str, ...], counts: Counts) -> bytes:
        """The body of an answer that is not streamed."""
        content = [_filled(block, answer, call_ids) for block, _ in _blocks(answer, call_ids)]
        return msgspec.json.encode(self._message(content, _REASONS[answer.finish_reason], counts, counts.generated))

    def error(self, status: int, message: str, kind: str) -> Json:
        """An error, in a body or as an event."""
        return {"type": "error", "error": {"type": kind, "message": message}}

    def _message(self, content: list[Json], reason: str | None, counts: Counts, output: int) -> Json:
        usage = {
            "cache_read_input_tokens": counts.cached,
            "input_tokens": counts.prefilled,
            "output_tokens": output,
        }
        made: Json = {"id": self._id, "type": "message", "role": "assistant", "content": content}
        return made | {"model": self._model, "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _blocks(answer: Answer, call_ids: tuple[str, ...]) -> Iterator[tuple[Json, list[Json]]]:
    """(the block as it opens, its deltas) for each block of an answer."""
    if answer.thinking:
        pieces = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(answer.thinking)]
        signed = [*pieces, {"type": "signature_delta", "signature": ""}]
        yield {"type": "thinking", "thinking": "", "signature": ""}, signed
    if answer.text:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(answer.text)]
    for (name, arguments), call_id in zip(answer.tool_calls, call_ids, strict=True):
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in _pieces(arguments)]


def _filled(block: Json, answer: Answer, call_ids: tuple[str, ...]) -> Json:
    match block["type"]:
        case "thinking":
            return block | {"thinking": answer.thinking}
        case "text":
            return block | {"text": answer.text}
    arguments = answer.tool_calls[call_ids.index(block["id"])][1]
    return block | {"input": msgspec.Raw(arguments.encode())}


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _event(value: Json) -> bytes:
    """One server-sent event as llama.cpp writes it: its name, a data line and an empty line."""
    return f"event: {value['type']}\n".encode() + b"data: " + msgspec.json.encode(value) + b"\n\n"
