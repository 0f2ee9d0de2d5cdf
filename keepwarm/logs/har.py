"""HAR 1.2, the HTTP Archive, as browsers and mitmproxy (`save.har`, `hardump`) write it: one document whose
`log.entries` are the rows.

Source: the specification (github.com/ahmadnassri/har-spec, versions/1.2.md, with 1.3's `postData.encoding`) and
mitmproxy's addons/savehar.py; seen on mitmproxy 11.0.2. `content.text` is the decoded body, in base64 where
`content.encoding` says so; -1 is a time that is not known; members that begin with `_` are the writer's own. A status
of 0 is a request that was never answered. `wait` ends with the first byte of the answer, and of the first token
nothing is said.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.logs.api import NO_ANSWER, Exchange, Unreadable
from keepwarm.logs.instant import instant


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Body(msgspec.Struct, frozen=True):
    text: str | None = None
    encoding: str | None = None


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    url: str
    method: str = "POST"
    headers: list[_Header] = []
    post_data: _Body | None = None


class _Response(msgspec.Struct, frozen=True):
    status: int = 0
    headers: list[_Header] = []
    content: _Body | None = None


class _Timings(msgspec.Struct, frozen=True):
    blocked: float | None = None
    dns: float | None = None
    connect: float | None = None
    send: float | None = None
    wait: float | None = None


class _Entry(msgspec.Struct, frozen=True, rename="camel"):
    started_date_time: str
    request: _Request
    response: _Response | None = None
    time: float | None = None
    timings: _Timings | None = None


_ENTRY: Final = msgspec.json.Decoder(_Entry)


class Har(msgspec.Struct, frozen=True):
    """An entry of an archive."""

    name = "HAR 1.2"
    shape = '{"log": {"version": "1.2", "entries": [{"startedDateTime": ..., "request": ..., "response": ...}]}}'

    def knows(self, row: Mapping[str, msgspec.Raw]) -> bool:
        """By the member that no other format has."""
        return "startedDateTime" in row and "request" in row

    def read(self, row: bytes) -> Exchange:
        """An entry."""
        entry = _ENTRY.decode(row)
        request, response = entry.request, entry.response or _Response()
        return Exchange(
            at=instant(entry.started_date_time),
            url=request.url,
            headers=_headers(request.headers),
            body=_bytes(request.post_data),
            method=request.method,
            status=response.status if 0 < response.status < 1000 else NO_ANSWER,
            answer_headers=_headers(response.headers),
            answer=_bytes(response.content),
            first_byte_ms=_first_byte(entry.timings),
            total_ms=_known(entry.time),
        )


def _headers(row: list[_Header]) -> dict[str, str]:
    """A header that is there twice is one list (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for header in row:
        name = header.name.lower()
        found[name] = f"{found[name]}, {header.value}" if name in found else header.value
    return found


def _bytes(body: _Body | None) -> bytes:
    if body is None or not body.text:
        return b""
    if body.encoding == "base64":
        try:
            return base64.b64decode(body.text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unreadable("a body that should be base64 is not") from error
    return body.text.encode("utf-8", "surrogatepass")


def _first_byte(timings: _Timings | None) -> float | None:
    if timings is None or _known(timings.wait) is None:
        return None
    # `ssl` is a part of `connect`.
    parts = (timings.blocked, timings.dns, timings.connect, timings.send, timings.wait)
    return sum(part for part in map(_known, parts) if part is not None)


def _known(milliseconds: float | None) -> float | None:
    return milliseconds if milliseconds is not None and milliseconds >= 0 else None
