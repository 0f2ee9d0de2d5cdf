"""Each row is known by its members; what is none says why and quotes nothing."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.logs.api import Unreadable
from keepwarm.logs.registry import FORMATS, accepted, read_row

ROWS = {
    "HAR 1.2": b'{"startedDateTime":"2026-09-22T12:00:00Z","request":{"url":"/v1/messages"},"response":{"status":200}}',
    "JSON Lines of requests and responses": b'{"time":1,"path":"/v1/messages","request":{},"response":{}}',
    "claude-trace": b'{"request":{"timestamp":1,"url":"/v1/messages"},"response":null}',
    "LiteLLM's standard logging payload": b'{"call_type":"completion","startTime":1,"messages":[]}',
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_each(name: str) -> None:
    form, found = read_row(ROWS[name])
    assert form.name == name
    assert found.path in ("/v1/messages", "/v1/chat/completions")


def test_every_format_is_tried_here_and_named_in_errors() -> None:
    assert {one.name for one in FORMATS} == ROWS.keys()
    assert all(one.name in accepted() and one.shape in accepted() for one in FORMATS)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b"[1]", "no JSON object"),
        (b'{"time":', "no JSON object"),
        (b'{"a": 1}', "no log that keepwarm knows"),
        (b'{"type":"user","sessionId":"s","parentUuid":null,"message":{}}', "transcript"),
        (b'{"time": 1, "path": 5, "request": "SECRET"}', "expected `str`"),
        (b'{"startedDateTime": "SECRET", "request": {"url": "/"}}', "ISO 8601"),
    ],
)
def test_why_a_row_is_none(row: bytes, told: str) -> None:
    with pytest.raises(Unreadable, match=told) as caught:
        read_row(row)
    assert "SECRET" not in str(caught.value)


def test_half_a_surrogate_pair_is_read() -> None:
    _, found = read_row(b'{"time":1,"path":"/v1/messages","request":{"t":"\\ud83d"}}')
    assert found.body == b'{"t":"\\ufffd"}'


@given(st.sampled_from(sorted(ROWS)), st.integers(0, 120), st.binary(max_size=3))
def test_whatever_stands_there_it_is_read_or_not(name: str, at: int, noise: bytes) -> None:
    row = ROWS[name][:at] + noise + ROWS[name][at + len(noise) :]
    with contextlib.suppress(Unreadable):
        read_row(row)
