"""A request's body in the order in which a model reads it: system, tools, messages; without what no template shows.

For servers that show no prompt. Claude Code's JSON has `messages` before `system`: a prefix of its bytes means nothing.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from keepwarm.codec.json_text import UNREADABLE


def as_read(body: bytes) -> str:
    """The text of a Messages or a chat completions body; "" for what is neither."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        return ""
    messages = said.get("messages")
    rows = [row for row in messages if isinstance(row, dict)] if isinstance(messages, list) else []
    leading = 1 if rows and rows[0].get("role") in ("system", "developer") else 0
    parts = [_text(said.get("system")), *(_text(row.get("content")) for row in rows[:leading])]
    parts += [_plain(tool) for tool in said.get("tools") or []]
    for row in rows[leading:]:
        parts += [str(row.get("role")), _text(row.get("content"))]
        parts += [_plain(row[name]) for name in ("reasoning_content", "tool_calls") if row.get(name)]
    return "\n".join(part for part in parts if part)


def _text(content: Any) -> str:
    """A string and a list of one text block are the same to the model."""
    if isinstance(content, list):
        return "\n".join(
            str(block["text"]) if isinstance(block, dict) and "text" in block else _plain(block) for block in content
        )
    return content if isinstance(content, str) else ""


def _plain(value: Any) -> str:
    """Anything else as JSON, without cache marks."""
    if isinstance(value, dict):
        value = {name: part for name, part in value.items() if name != "cache_control"}
    return json.dumps(value, ensure_ascii=False)
