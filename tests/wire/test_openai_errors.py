"""Errors in the words that clients of chat completions read."""

from __future__ import annotations

import json

import msgspec
import pytest

from keepwarm.codec.frames import SseDecoder
from keepwarm.core.events import Failed
from keepwarm.wire.openai_errors import error_body, error_event, missing, name_of, too_long, unreadable, wrong


@pytest.mark.parametrize(
    ("status", "kind", "answered", "error_type", "code"),
    [
        (400, "", 400, "invalid_request_error", None),
        (400, "bad_request", 400, "invalid_request_error", None),
        (401, "", 401, "invalid_request_error", "invalid_api_key"),
        (401, "auth", 401, "invalid_request_error", "invalid_api_key"),
        (403, "auth", 403, "invalid_request_error", "permission_denied"),
        (404, "not_found", 404, "invalid_request_error", "not_found"),
        (413, "too_large", 413, "invalid_request_error", "request_too_large"),
        (429, "rate_limit", 429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "template", 500, "server_error", None),
        (500, "overflow", 400, "invalid_request_error", "context_length_exceeded"),
        (503, "overloaded", 503, "server_error", "overloaded"),
        (0, "overloaded", 503, "server_error", "overloaded"),
        (0, "unreachable", 502, "server_error", None),
        (200, "broken", 502, "server_error", None),
    ],
)
def test_an_error_has_the_apis_shape(status: int, kind: str, answered: int, error_type: str, code: str | None) -> None:
    found, body = error_body(status, kind, "No.")
    assert found == answered
    assert json.loads(body) == {"error": {"message": "No.", "type": error_type, "param": None, "code": code}}


def test_an_overflow_is_said_in_the_apis_words() -> None:
    _, body = error_body(400, "overflow", "prompt is too long: 9000 tokens > 8192 maximum")
    assert json.loads(body)["error"]["message"].startswith(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    )
    assert too_long("it does not fit") == "it does not fit"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/messages/3/role", "messages[3].role"),
        ("/messages/3/content/0/text", "messages[3].content[0].text"),
        ("/model", "model"),
        ("", "body"),
    ],
)
def test_places_are_named_as_the_api_names_them(path: str, name: str) -> None:
    assert name_of(path) == name
    for error in (wrong(path, "no."), missing(path)):
        assert error.path == path
        _, body = error_body(400, "bad_request", str(error))
        assert json.loads(body)["error"]["param"] == name


def test_what_msgspec_says_is_said_in_the_apis_words() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b"[7]", type=list[str])
    assert str(unreadable(caught.value, "/x")) == "Invalid type for 'x[0]': expected a string."
    assert "not UTF-8" in str(unreadable(UnicodeDecodeError("utf-8", b"", 0, 1, "x")))
    assert "too deeply" in str(unreadable(RecursionError()))
    assert str(unreadable(msgspec.ValidationError("Invalid enum value 'x' - at `$.a[0]`"))) == (
        "Invalid 'a[0]': Invalid enum value 'x'"
    )


def test_a_stream_ends_with_the_error_and_nothing_is_done() -> None:
    (frame,) = SseDecoder().feed(error_event(Failed(0, "it went away", "unreachable")))
    assert frame.event == ""
    assert json.loads(frame.data)["error"]["message"] == "it went away"
