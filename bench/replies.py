"""The answers that the stub server gives: rendered once, 40 events each, in llama.cpp's shape and in Anthropic's.

Every answer thinks, says something and calls a tool. Only the tool call's id and the token counts are the request's
own: they are put in place by replacing bytes, so that the stub costs next to nothing beside what is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from keepwarm.core.answer import sign

Speech: TypeAlias = Literal["llamacpp", "anthropic"]
"""The protocol that the stub speaks."""

EVENTS: Final = 40
THINKING: Final = tuple(f" step {n}: look where the hour is added," for n in range(8))
TEXT: Final = tuple(f" The reader keeps value {n} of the station." for n in range(16))
TOOL: Final = "Bash"
GENERATED: Final = json.dumps(
    {"description": "Show the reader", "command": "cd /lantern && sed -n 1,80p /lantern/reader.py", "timeout": 5000.0}
)
"""The call's arguments as the model writes them; the client sends them back rewritten."""
SIGNATURES: Final[dict[Speech, str]] = {"llamacpp": sign("".join(THINKING)), "anthropic": "stub-signature"}
"""What the client gets behind the thinking, straight or through keepwarm."""
_ID: Final = b"toolu_000000000000000000000000"
_TOTAL, _CACHED = b"71111111", b"72222222"


def answer(speech: Speech, call_id: bytes, prompt_bytes: int) -> list[bytes]:
    """The events of one answer: `call_id` of 30 characters, counts made up from the request's length."""
    total = prompt_bytes // 4
    parts = list(_PARTS[speech])
    for at in _VARIABLE[speech]:
        part = parts[at].replace(_ID, call_id).replace(_TOTAL, b"%d" % total)
        parts[at] = part.replace(_CACHED, b"%d" % max(0, total - 400))
    return parts


def _cut(text: str, count: int) -> list[str]:
    size = -(-len(text) // count)
    return [text[at : at + size] for at in range(0, len(text), size)]


def _chat() -> Iterable[object]:
    progress = {"total": int(_TOTAL), "cache": int(_CACHED), "processed": int(_TOTAL), "time_ms": 80}
    yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}], "prompt_progress": progress}
    for text in THINKING:
        yield {"choices": [{"index": 0, "delta": {"reasoning_content": text}}]}
    for text in TEXT:
        yield {"choices": [{"index": 0, "delta": {"content": text}}]}
    call: dict[str, object] = {"index": 0, "id": _ID.decode(), "type": "function"}
    call["function"] = {"name": TOOL, "arguments": ""}
    yield {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    for text in _cut(GENERATED, 11):
        yield {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}}]}
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    details = {"cached_tokens": int(_CACHED)}
    usage = {"prompt_tokens": int(_TOTAL), "completion_tokens": 300, "prompt_tokens_details": details}
    timings = {"cache_n": int(_CACHED), "prompt_n": 400, "prompt_ms": 80.0, "predicted_n": 300, "predicted_ms": 900.0}
    yield {"choices": [], "usage": usage, "timings": timings}


def _chat_parts() -> tuple[bytes, ...]:
    common = {"id": "chatcmpl-stub", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
    events = [b"data: " + json.dumps(common | dict(event)).encode() + b"\n\n" for event in _chat()]  # type: ignore[call-overload]
    return (*events, b"data: [DONE]\n\n")


def _message() -> Iterable[tuple[str, dict[str, object]]]:
    usage = {"input_tokens": 400, "cache_read_input_tokens": int(_CACHED), "output_tokens": 1}
    message = {"id": "msg_stub", "type": "message", "role": "assistant", "model": "stub", "content": []}
    yield "message_start", {"message": message | {"stop_reason": None, "stop_sequence": None, "usage": usage}}
    thinking: list[dict[str, object]] = [{"type": "thinking_delta", "thinking": text} for text in THINKING]
    thinking.append({"type": "signature_delta", "signature": SIGNATURES["anthropic"]})
    call = {"type": "tool_use", "id": _ID.decode(), "name": TOOL, "input": {}}
    blocks: tuple[tuple[dict[str, object], list[dict[str, object]]], ...] = (
        ({"type": "thinking", "thinking": "", "signature": ""}, thinking),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in TEXT]),
        (dict(call), [{"type": "input_json_delta", "partial_json": text} for text in _cut(GENERATED, 6)]),
    )
    for index, (block, deltas) in enumerate(blocks):
        yield "content_block_start", {"index": index, "content_block": block}
        for delta in deltas:
            yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    yield (
        "message_delta",
        {"delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 300}},
    )
    yield "message_stop", {}


def _message_parts() -> tuple[bytes, ...]:
    return tuple(
        b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind} | fields).encode())
        for kind, fields in _message()
    )


_PARTS: Final[dict[Speech, tuple[bytes, ...]]] = {"llamacpp": _chat_parts(), "anthropic": _message_parts()}
_VARIABLE: Final[dict[Speech, tuple[int, ...]]] = {
    speech: tuple(at for at, part in enumerate(parts) if any(mark in part for mark in (_ID, _TOTAL, _CACHED)))
    for speech, parts in _PARTS.items()
}
