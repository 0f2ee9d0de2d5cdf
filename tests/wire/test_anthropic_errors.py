"""Errors in the words that agents read."""

from __future__ import annotations

import json

import msgspec
import pytest

from keepwarm.core.events import Failed
from keepwarm.wire.anthropic_errors import TYPE_BY_STATUS, error_body, error_event, too_long, unreadable, wrong


@pytest.mark.parametrize(("status", "error_type"), TYPE_BY_STATUS.items())
def test_a_status_has_its_type(status: int, error_type: str) -> None:
    answered, body = error_body(status, "", "No.", "req_1")
    assert answered == status
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": error_type, "message": "No."},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("status", "kind", "answered", "error_type"),
    [
        (503, "overloaded", 503, "overloaded_error"),
        (0, "overloaded", 529, "overloaded_error"),
        (0, "unreachable", 502, "api_error"),
        (502, "unreachable", 502, "api_error"),
        (418, "", 418, "invalid_request_error"),
        (500, "template", 500, "invalid_request_error"),
        (403, "auth", 403, "permission_error"),
        (401, "auth", 401, "authentication_error"),
        (413, "too_large", 413, "request_too_large"),
        (500, "overflow", 400, "invalid_request_error"),
        (200, "broken", 502, "api_error"),
        (999, "", 502, "api_error"),
    ],
)
def test_a_kind_says_more_than_its_status(status: int, kind: str, answered: int, error_type: str) -> None:
    found, body = error_body(status, kind, "No.")
    assert found == answered
    assert json.loads(body)["error"]["type"] == error_type
    assert json.loads(body)["request_id"] is None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("prompt is too long: 9000 tokens > 8192 maximum", "prompt is too long: 9000 tokens > 8192 maximum"),
        (
            "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "prompt is too long: 9000 tokens > 8192 maximum",
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9100 tokens (9000 in ..",
            "prompt is too long: 9100 tokens > 8192 maximum",
        ),
        (
            "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
            "prompt is too long: 9000 tokens > 8192 maximum",
        ),
        ("the context is full", "prompt is too long: the context is full"),
        ("context length 8192 exceeded", "prompt is too long: context length 8192 exceeded"),
    ],
)
def test_an_overflow_is_said_so_that_compaction_starts(said: str, told: str) -> None:
    assert too_long(said) == told
    assert json.loads(error_body(400, "overflow", said)[1])["error"]["message"] == told


def test_an_error_event() -> None:
    assert error_event(Failed(529, "busy", "overloaded")) == (
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    )


def test_a_fault_has_its_pointer_and_its_place_in_words() -> None:
    fault = wrong("/messages/3/role", "Field required")
    assert (str(fault), fault.path, fault.error_status_hint) == (
        "messages.3.role: Field required",
        "/messages/3/role",
        400,
    )
    assert str(wrong("", "No.")) == "No."


class _Sample(msgspec.Struct):
    numbers: list[int]
    words: dict[str, str] = {}


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        (b"[]", "/a", "a: Input should be a valid dictionary"),
        (b"{}", "/a/numbers", "a.numbers: Field required"),
        (b'{"numbers":{}}', "/a/numbers", "a.numbers: Input should be a valid list"),
        (b'{"numbers":[1,"2"]}', "/a/numbers/1", "a.numbers.1: Input should be a valid integer"),
        (b'{"numbers":[],"words":{"x":1}}', "/a/words", "a.words: Input should be a valid string"),
        (
            b'{"numbers":[1,]}',
            "/a",
            "The request body is not valid JSON: JSON is malformed: trailing comma in array (byte 14)",
        ),
    ],
)
def test_what_cannot_be_read_is_told_in_the_apis_words(text: bytes, path: str, told: str) -> None:
    with pytest.raises(msgspec.DecodeError) as raised:
        msgspec.json.decode(text, type=_Sample)
    fault = unreadable(raised.value, "/a")
    assert (fault.path, str(fault)) == (path, told)
