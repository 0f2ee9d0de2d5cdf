"""HAR entries, as several programs write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.logs.api import NO_ANSWER, Exchange
from keepwarm.logs.har import Har
from keepwarm.logs.registry import read_row

BODY = '{"model": "m", "messages": [{"role": "user", "content": "größer"}]}'
Json = dict[str, Any]


def entry(**changes: Any) -> Json:
    return {
        "startedDateTime": "2026-09-22T12:00:00.250Z",
        "time": 900,
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1:8000/v1/messages?beta=true",
            "headers": [{"name": "User-Agent", "value": "claude-cli/2.1.114"}, {"name": "X-A", "value": "1"}],
            "postData": {"mimeType": "application/json", "text": BODY},
        },
        "response": {
            "status": 200,
            "headers": [{"name": "Via", "value": "a"}, {"name": "via", "value": "b"}],
            "content": {"size": 2, "mimeType": "application/json", "text": "{}"},
        },
        "timings": {"blocked": 1, "dns": -1, "connect": 4, "ssl": 3, "send": 5, "wait": 300, "receive": 590},
    } | changes


def read(said: Json) -> Exchange:
    return Har().read(json.dumps(said).encode())


def test_an_entry() -> None:
    found = read(entry())
    assert (found.at, found.path, found.method, found.status) == (1_790_078_400.25, "/v1/messages", "POST", 200)
    assert found.headers == {"user-agent": "claude-cli/2.1.114", "x-a": "1"}
    assert found.answer_headers == {"via": "a, b"}
    assert found.body == BODY.encode()
    assert found.answer == b"{}"
    assert (found.first_byte_ms, found.total_ms, found.first_token_ms) == (310.0, 900.0, None)


def test_base64_on_either_side() -> None:
    said = entry()
    said["response"]["content"] = {"text": "ZGF0YTogMQoK", "encoding": "base64"}
    said["request"]["postData"] = {"text": "e30=", "encoding": "base64"}
    found = read(said)
    assert (found.body, found.answer) == (b"{}", b"data: 1\n\n")


def test_base64_that_is_none() -> None:
    said = entry()
    said["response"]["content"] = {"text": "%%%", "encoding": "base64"}
    with pytest.raises(ValueError, match="base64"):
        read(said)


@pytest.mark.parametrize("content", [{}, {"size": 0}, {"text": None}, {"text": ""}, None])
def test_a_body_that_is_not_there(content: Json | None) -> None:
    said = entry()
    said["response"]["content"] = content
    del said["request"]["postData"]
    assert (read(said).body, read(said).answer) == (b"", b"")


def test_a_request_without_an_answer() -> None:
    said = entry()
    said["response"] = {"status": 0, "headers": [], "content": {}, "_error": "client disconnected"}
    assert read(said).status == NO_ANSWER
    assert read(entry(response=None)).status == NO_ANSWER


def test_times_that_are_not_known() -> None:
    assert read(entry(timings={"wait": -1})).first_byte_ms is None
    assert read(entry(timings=None, time=-1)).total_ms is None


def test_members_of_the_writers_own() -> None:
    form, _ = read_row(json.dumps(entry(_initiator={"type": "script"}, _priority="High", pageref="p")).encode())
    assert form.name == "HAR 1.2"
