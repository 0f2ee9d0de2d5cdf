"""What claude-trace writes (`.claude-trace/log-*.jsonl`): JSON Lines, a request and its answer a line.

Source: @mariozechner/claude-trace 1.0.3, src/interceptor.ts; seen on 1.0.9. The request's body is the parsed JSON,
written anew: the same text where JSON.stringify had written it, as in Claude Code. A client that writes JSON otherwise
looks here as if it had written tool calls anew (HIS003). An answer in JSON is `body`, a stream its whole text under
`body_raw`. A request that was still open when Claude Code ended has `"response": null`. The answer's
`timestamp` is taken when its headers have come, `logged_at` when all of it has; keys are shortened in the log, and are
not kept here either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.logs.api import NO_ANSWER, Exchange, Status, lowered
from keepwarm.logs.instant import instant, since
from keepwarm.logs.pairs import body_of

_NOTHING: Final = msgspec.Raw()


class _Request(msgspec.Struct, frozen=True):
    timestamp: float
    url: str
    method: str = "POST"
    headers: dict[str, str] = {}
    body: msgspec.Raw = _NOTHING


class _Response(msgspec.Struct, frozen=True):
    timestamp: float
    status_code: Status = 200
    headers: dict[str, str] = {}
    body: msgspec.Raw = _NOTHING
    body_raw: str = ""


class _Pair(msgspec.Struct, frozen=True):
    request: _Request
    response: _Response | None = None
    logged_at: str = ""


_PAIR: Final = msgspec.json.Decoder(_Pair)


class ClaudeTrace(msgspec.Struct, frozen=True):
    """A line of it."""

    name = "claude-trace"
    shape = '{"request": {"timestamp": ..., "url": ..., "body": {...}}, "response": {"status_code": 200, ...}}'

    def knows(self, row: Mapping[str, msgspec.Raw]) -> bool:
        """By its pair, and by what stands in its request and not beside it."""
        return "request" in row and "response" in row and b'"timestamp"' in bytes(row["request"])

    def read(self, row: bytes) -> Exchange:
        """A line."""
        pair = _PAIR.decode(row)
        request, response = pair.request, pair.response
        at = instant(request.timestamp)
        asked = Exchange(at, request.url, lowered(request.headers), body_of(request.body), request.method, NO_ANSWER)
        if response is None:
            return asked
        return msgspec.structs.replace(
            asked,
            status=response.status_code,
            answer_headers=lowered(response.headers),
            answer=response.body_raw.encode("utf-8", "surrogatepass") or body_of(response.body),
            first_byte_ms=since(at, response.timestamp),
            total_ms=since(at, pair.logged_at or None),
        )
