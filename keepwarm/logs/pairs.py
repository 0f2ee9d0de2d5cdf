"""keepwarm's own shape, for whoever writes a log for it: JSON Lines, a request and its answer a line.

    {"time": "2026-09-22T12:00:00.250Z", "path": "/v1/messages", "headers": {...}, "request": {...},
     "status": 200, "response_headers": {...}, "response": {...}, "first_byte_ms": 310, "total_ms": 2140}

- `time`: when the request went out, in ISO 8601, or seconds or milliseconds since 1970
- `url` or `path`: where it went, a whole address or its path
- `request`: its body, the JSON itself, best as the very text that was sent, or a string that holds it
- `headers`: of the request; a session's name stands there. Keys are read over and not kept
- `response`: the answer's body, JSON, or a string that holds JSON or a stream of events; left out where it is not known
- `status`: of the answer; 0 where there was none
- `response_headers`, `method`, `first_byte_ms`, `first_token_ms`, `total_ms` (milliseconds from the request on)

The first three must be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.logs.api import Exchange, Milliseconds, Status, Unreadable, lowered
from keepwarm.logs.instant import instant

_NOTHING: Final = msgspec.Raw()


class _Line(msgspec.Struct, frozen=True):
    time: float | str
    request: msgspec.Raw
    url: str = ""
    path: str = ""
    method: str = "POST"
    headers: dict[str, str] | None = None
    status: Status | None = None
    response_headers: dict[str, str] | None = None
    response: msgspec.Raw = _NOTHING
    first_byte_ms: Milliseconds | None = None
    first_token_ms: Milliseconds | None = None
    total_ms: Milliseconds | None = None


_LINE: Final = msgspec.json.Decoder(_Line)
_TEXT: Final = msgspec.json.Decoder(str)


class Pairs(msgspec.Struct, frozen=True):
    """A line of it."""

    name = "JSON Lines of requests and responses"
    shape = '{"time": ..., "path": "/v1/messages", "headers": {...}, "request": {...}, "response": {...}}'

    def knows(self, row: Mapping[str, msgspec.Raw]) -> bool:
        """By its two members that must be there."""
        return "time" in row and "request" in row

    def read(self, row: bytes) -> Exchange:
        """A line."""
        line = _LINE.decode(row)
        if not (line.url or line.path):
            raise Unreadable("there is neither a url nor a path")
        return Exchange(
            at=instant(line.time),
            url=line.url or line.path,
            headers=lowered(line.headers or {}),
            body=body_of(line.request),
            method=line.method,
            status=line.status,
            answer_headers=lowered(line.response_headers or {}),
            answer=body_of(line.response),
            first_byte_ms=line.first_byte_ms,
            first_token_ms=line.first_token_ms,
            total_ms=line.total_ms,
        )


def body_of(value: msgspec.Raw) -> bytes:
    """The body that a JSON value stands for: the text in a string, else its own text; b"" for null and nothing."""
    said = bytes(value)
    if said.startswith(b'"'):
        return _TEXT.decode(said).encode("utf-8", "surrogatepass")
    return b"" if said == b"null" else said
