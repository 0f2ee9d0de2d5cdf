"""What a model server's error answer means: the words and fields that servers use, in one table.

Sources: llama.cpp `server-common.cpp` (format_error_response, `exceed_context_size_error` with n_prompt_tokens
and n_ctx), vLLM's "maximum context length is M tokens ... N", Anthropic's "prompt is too long: N tokens > M maximum".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.events import Failed

_KINDS: Final = {401: "auth", 403: "auth", 404: "not_found", 408: "unreachable", 413: "too_large", 429: "rate_limit",
                 503: "overloaded", 504: "unreachable", 529: "overloaded"}  # fmt: skip
_OVERFLOWS: Final = (
    re.compile(r"request \((?P<n>\d+) tokens\) exceeds the available context size \((?P<m>\d+) tokens\)"),
    re.compile(
        r"maximum context length is (?P<m>\d+) tokens.*?(?:resulted in|requested|at least) (?P<n>\d+)", re.DOTALL
    ),
    re.compile(r"prompt is too long: (?P<n>\d+) tokens > (?P<m>\d+) maximum"),
)  # fmt: skip


def failure(status: int, headers: Mapping[str, str], body: bytes) -> Failed:
    """An error answer as an event: its status, its wording, its `retry-after`, and the kind it is of.

    A prompt that does not fit is always 400 "prompt is too long: N tokens > M maximum", the wording that
    makes agents compact.
    """
    fields = _fields(body)
    message = str(fields.get("message") or body.decode("utf-8", "replace").strip() or f"status {status} without a word")
    retry = headers.get("retry-after", "")
    tokens, limit = fields.get("n_prompt_tokens"), fields.get("n_ctx")
    if fields.get("type") == "exceed_context_size_error" and isinstance(tokens, int) and isinstance(limit, int):
        return _overflow(tokens, limit)
    for pattern in _OVERFLOWS:
        if (found := pattern.search(message)) is not None:
            return _overflow(int(found["n"]), int(found["m"]))
    kind = _KINDS.get(status, "bad_request" if 400 <= status < 500 else "server")
    if "must be at the beginning" in message or "Conversation roles must alternate" in message:
        kind = "template"
    return Failed(status, message, kind, retry)


def _overflow(tokens: int, limit: int) -> Failed:
    return Failed(400, f"prompt is too long: {tokens} tokens > {limit} maximum", "overflow")


def _fields(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE:
        return {}
    if isinstance(value, dict):
        inner = value.get("error", value)
        if isinstance(inner, dict):
            return {"message": inner.get("detail"), **inner}  # FastAPI's word, in front of vLLM and SGLang
        return {"message": inner if isinstance(inner, str) else ""}
    return {}
