"""What servers' error answers mean: their words, their fields, their status."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.events import Failed
from keepwarm.upstream.failures import failure

LLAMACPP = {
    "error": {
        "code": 400,
        "message": "request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9001,
        "n_ctx": 8192,
    }
}
VLLM = {
    "object": "error",
    "message": "This model's maximum context length is 8192 tokens. However,\nyou requested 9001 tokens "
    "(9001 in the messages, 0 in the completion). Please reduce the length of the messages.",
    "type": "BadRequestError",
    "code": 400,
}
VLLM_NEW = {
    "error": {
        "message": "This model's maximum context length is 8192 tokens. However, your request has at least 9001 "
        "input tokens. Please reduce the length of the input messages.",
        "code": 400,
    }
}
ANTHROPIC = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long: 9001 tokens > 8192 maximum"},
}


@pytest.mark.parametrize("status", [400, 413, 500])
@pytest.mark.parametrize(
    "said",
    [
        LLAMACPP,
        VLLM,
        VLLM_NEW,
        ANTHROPIC,
        {"error": LLAMACPP["error"]["message"]},
        {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 9001, "n_ctx": 8192}},
    ],
)
def test_a_prompt_that_does_not_fit_is_said_in_the_words_that_agents_compact_on(status: int, said: object) -> None:
    assert failure(status, {}, json.dumps(said).encode()) == Failed(
        400, "prompt is too long: 9001 tokens > 8192 maximum", "overflow"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "bad_request"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (408, "unreachable"),
        (413, "too_large"),
        (418, "bad_request"),
        (422, "bad_request"),
        (429, "rate_limit"),
        (500, "server"),
        (502, "server"),
        (503, "overloaded"),
        (504, "unreachable"),
        (529, "overloaded"),
    ],
)
def test_a_status_tells_the_kind(status: int, kind: str) -> None:
    body = b'{"error":{"message":"Why, in the server\'s words.","type":"any"}}'
    assert failure(status, {}, body) == Failed(status, "Why, in the server's words.", kind)


@pytest.mark.parametrize(
    "words",
    [
        "System message must be at the beginning.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
    ],
)
def test_a_chat_template_that_refuses_is_told_apart(words: str) -> None:
    body = json.dumps({"error": {"code": 500, "message": f"Jinja Exception: {words}", "type": "server_error"}})
    assert failure(500, {}, body.encode()).kind == "template"


def test_when_to_come_back_is_kept_as_it_was_said() -> None:
    for word in ("3", "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert failure(429, {"retry-after": word}, b"{}").retry_after == word


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"model not loaded"}', "model not loaded"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"message":"no"}', "no"),
        (b"<html>Bad gateway</html>\n", "<html>Bad gateway</html>"),
        (b"", "status 502 without a word"),
        (b"\xff", "�"),
        (b'["odd"]', '["odd"]'),
    ],
)
def test_the_wording_is_found_in_every_shape(body: bytes, message: str) -> None:
    assert failure(502, {}, body).message == message


@given(st.integers(400, 599), st.binary(max_size=60) | st.text(max_size=30).map(lambda text: json.dumps(text).encode()))
def test_every_answer_is_read(status: int, body: bytes) -> None:
    failed = failure(status, {}, body)
    assert failed.status in (status, 400)
    assert failed.message
    assert failed.kind
