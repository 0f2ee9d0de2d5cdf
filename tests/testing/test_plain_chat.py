"""The straight path converts as an ordinary proxy does: nothing mended, nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.testing.plain_chat import to_chat

BODY = {
    "model": "local",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "system", "content": "inline"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"timeout": 5, "command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a file"}]},
                {"type": "text", "text": "go on"},
            ],
        },
        {"role": "system", "content": []},
    ],
    "system": [{"type": "text", "text": "x-anthropic-billing-header: cch=1;"}, {"type": "text", "text": "Be brief."}],
    "tools": [{"name": "Bash", "description": "run", "input_schema": {"type": "object"}}],
    "max_tokens": 9,
}


def chat(**options: bool) -> dict[str, Any]:
    """The conversion, read."""
    made: dict[str, Any] = json.loads(to_chat(json.dumps(BODY).encode(), **options))
    return made


def test_every_part_has_its_place() -> None:
    made = chat()
    assert made["messages"] == [
        {"role": "system", "content": "x-anthropic-billing-header: cch=1;\nBe brief."},
        {"role": "user", "content": "one\ntwo"},
        {"role": "system", "content": "inline"},
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "id": "t1",
                    "type": "function",
                    "function": {"name": "Bash", "arguments": '{"timeout": 5, "command": "ls"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "a file"},
        {"role": "user", "content": "go on"},
    ]
    assert made["tools"][0]["function"] == {"name": "Bash", "description": "run", "parameters": {"type": "object"}}
    assert (made["max_tokens"], made["stream"]) == (9, True)
    assert "id_slot" not in made


def test_hoisting_moves_inline_system_messages_into_the_head() -> None:
    made = chat(hoist=True)
    assert made["messages"][0]["content"].endswith("Be brief.\ninline")
    assert [message["role"] for message in made["messages"]].count("system") == 1


def test_what_is_no_messages_body_is_refused() -> None:
    with pytest.raises(ValueError, match="not a Messages body"):
        to_chat(b"[]")
