"""The straight path: a Messages body turned into a chat completions body as an ordinary proxy does it.

Honest and unaided: every system block goes to the head, the billing header with it; inline system messages keep
their place (or are hoisted, for templates that refuse them); tool arguments are printed again as the client sent
them; thinking becomes `reasoning_content`; no slot is chosen. It is the other side of every before/after table, so
it shares no code with the gateway.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def to_chat(body: bytes, *, hoist: bool = False) -> bytes:
    """A Messages body as a streaming chat completions body.

    hoist   move inline system messages into the head, as proxies do for templates that want the system text first

    Raises ValueError when the body is not a JSON object with `messages`.
    """
    asked = json.loads(body)
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        raise ValueError("not a Messages body")
    head = _text(asked.get("system"))
    messages: list[Json] = []
    for message in asked["messages"]:
        if message["role"] == "system" and hoist:
            head = "\n".join(part for part in (head, _text(message["content"])) if part)
            continue
        messages += _converted(message)
    if head:
        messages.insert(0, {"role": "system", "content": head})
    chat: Json = {"model": asked.get("model", ""), "messages": messages}
    if asked.get("tools"):
        chat["tools"] = [_tool(tool) for tool in asked["tools"]]
    if "max_tokens" in asked:
        chat["max_tokens"] = asked["max_tokens"]
    chat["stream"] = True
    chat["stream_options"] = {"include_usage": True}
    return json.dumps(chat, ensure_ascii=False).encode()


def _converted(message: Json) -> list[Json]:
    """One message as one or more chat messages."""
    role, content = message["role"], message["content"]
    if role == "system":
        text = _text(content)
        return [{"role": "system", "content": text}] if text else []
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if role == "assistant":
        return [_assistant(content)]
    results = [
        {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _text(block.get("content"))}
        for block in content
        if block["type"] == "tool_result"
    ]
    text = _text([block for block in content if block["type"] == "text"])
    return [*results, {"role": "user", "content": text}] if text else results


def _assistant(blocks: list[Json]) -> Json:
    """An assistant turn: its words, its thinking, its calls."""
    turn: Json = {"role": "assistant", "content": _text([block for block in blocks if block["type"] == "text"])}
    thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    if thinking:
        turn["reasoning_content"] = thinking
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"], ensure_ascii=False)},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    if calls:
        turn["tool_calls"] = calls
    return turn


def _tool(tool: Json) -> Json:
    """A tool in the chat completions shape."""
    function = {
        "name": tool["name"],
        "description": tool.get("description", ""),
        "parameters": tool.get("input_schema", {"type": "object", "properties": {}}),
    }
    return {"type": "function", "function": function}


def _text(content: Any) -> str:
    """The words of a string, of text blocks (joined by line breaks), or of nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(block["text"] for block in content if block.get("type") == "text")
    return ""
