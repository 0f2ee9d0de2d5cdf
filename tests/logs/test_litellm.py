"""LiteLLM's standard logging payload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.logs.api import NO_ANSWER
from keepwarm.logs.litellm import LiteLLM
from keepwarm.logs.registry import read_row

PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1_790_078_400.0,
    "endTime": 1_790_078_402.0,
    "completionStartTime": 1_790_078_400.5,
    "stream": True,
    "model": "local",
    "api_base": "http://127.0.0.1:8000/v1",
    "messages": [{"role": "user", "content": "hi"}],
    "model_parameters": {"tools": [{"type": "function", "function": {"name": "Bash"}}], "temperature": 0},
    "response": {"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 3}},
}


def read(**changes: Any) -> Any:
    form, found = read_row(json.dumps(PAYLOAD | changes).encode())
    assert isinstance(form, LiteLLM)
    return found


def test_a_call() -> None:
    found = read()
    body = json.loads(found.body)
    assert body["messages"] == PAYLOAD["messages"]
    assert body["tools"] == PAYLOAD["model_parameters"]["tools"]
    assert body["stream"] is True
    assert found.url == "http://127.0.0.1:8000/v1/chat/completions"
    assert json.loads(found.answer)["usage"] == {"prompt_tokens": 3}
    assert (found.first_token_ms, found.total_ms) == (500.0, 2000.0)


def test_a_call_that_is_no_stream_or_failed() -> None:
    assert read(stream=False).first_token_ms is None
    failed = read(status="failure", response=None)
    assert (failed.status, failed.answer) == (NO_ANSWER, b"")


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"call_type": "aembedding"}, "no chat completion"), ({"messages": "redacted-by-litellm"}, "not in the log")],
)
def test_what_is_not_read(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read(**changes)
