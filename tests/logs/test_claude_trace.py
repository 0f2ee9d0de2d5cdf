"""Lines of claude-trace."""

from __future__ import annotations

import pytest

from keepwarm.logs.api import NO_ANSWER
from keepwarm.logs.claude_trace import ClaudeTrace

READ = ClaudeTrace().read
ASKED = (
    b'{"request":{"timestamp":1790078400.25,"method":"POST","url":"https://api.anthropic.com/v1/messages?beta=true",'
    b'"headers":{"X-Api-Key":"sk-ant-api...wxyz"},"body":{"model":"m","messages":[]}},"response":'
)


def test_a_stream() -> None:
    found = READ(
        ASKED
        + b'{"timestamp":1790078401.25,"status_code":200,"headers":{"request-id":"r"},"body_raw":"data: {}\\n\\n"},'
        b'"logged_at":"2026-09-22T12:00:02.750Z"}'
    )
    assert found.body == b'{"model":"m","messages":[]}'
    assert found.answer == b"data: {}\n\n"
    assert (found.host, found.path, found.status) == ("api.anthropic.com", "/v1/messages", 200)
    assert found.first_byte_ms == pytest.approx(1000)
    assert found.total_ms == pytest.approx(2500)


def test_an_answer_in_json() -> None:
    found = READ(ASKED + b'{"timestamp":1790078401,"status_code":529,"headers":{},"body":{"type":"error"}}}')
    assert (found.status, found.answer, found.total_ms) == (529, b'{"type":"error"}', None)


def test_an_orphan() -> None:
    found = READ(ASKED + b'null,"note":"ORPHANED_REQUEST - No matching response received"}')
    assert (found.status, found.answer) == (NO_ANSWER, b"")


def test_an_answer_that_could_not_be_read() -> None:
    found = READ(ASKED + b'{"timestamp":1790078401,"status_code":200,"headers":{}}}')
    assert (found.status, found.answer) == (200, b"")
