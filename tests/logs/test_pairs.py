"""keepwarm's own shape of a log."""

from __future__ import annotations

import pytest

from keepwarm.logs.api import NO_ANSWER
from keepwarm.logs.pairs import Pairs

READ = Pairs().read


def test_a_line() -> None:
    found = READ(
        b'{"time": "2026-09-22T12:00:00Z", "path": "/v1/messages", "headers": {"User-Agent": "x"}, '
        b'"request": {"b": 1,  "a": 2}, "status": 200, "response_headers": {"Server": "llama.cpp"}, '
        b'"response": "data: {}\\n\\n", "first_byte_ms": 3, "first_token_ms": 4, "total_ms": 5, "note": "mine"}'
    )
    assert found.at == 1_790_078_400.0
    assert found.body == b'{"b": 1,  "a": 2}', "the very text"
    assert found.answer == b"data: {}\n\n"
    assert found.headers == {"user-agent": "x"}
    assert found.answer_headers == {"server": "llama.cpp"}
    assert (found.first_byte_ms, found.first_token_ms, found.total_ms) == (3, 4, 5)


def test_as_little_as_there_may_be() -> None:
    found = READ(b'{"time": 1790078400, "url": "http://h/v1/messages", "request": "{}"}')
    assert (found.body, found.answer, found.status, found.host) == (b"{}", b"", None, "h")
    assert READ(b'{"time": 1, "path": "/", "request": {}, "response": null, "status": 0}').status == NO_ANSWER
    assert READ(b'{"time": 1, "path": "/", "request": {}, "response": {"a": 1}}').answer == b'{"a": 1}'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"time": 1, "request": {}}', "neither a url nor a path"),
        (b'{"time": true, "path": "/", "request": {}}', "time"),
        (b'{"time": 1, "path": "/", "request": {}, "status": 1e9}', "int"),
        (b'{"time": 1, "path": "/", "request": {}, "status": -1}', ">= 0"),
        (b'{"time": 1, "path": "/", "request": {}, "total_ms": -1}', ">= 0"),
        (b'{"time": "noon", "path": "/", "request": {}}', "ISO 8601"),
    ],
)
def test_what_is_wrong_with_a_line(line: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        READ(line)
