"""Which headers go on, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keepwarm.exchange.commands import Headers

_HOP: Final = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "host", "content-length", "accept-encoding", "content-encoding", "expect",
})  # fmt: skip
_OURS: Final = "x-keepwarm-"
SSE: Final[Headers] = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)
JSON: Final[Headers] = (("content-type", "application/json"),)


def onward(headers: Mapping[str, str], metadata: tuple[tuple[str, str], ...], *, same_protocol: bool) -> Headers:
    """The headers for the server.

    A server of the client's protocol gets the client's own, less those that belong to one connection. Any other
    gets the key, as a bearer token, and who is asking. Values lifted out of the prompt go beside them.
    """
    # A control character, which may stand in a prompt, may not stand in a header.
    lifted = tuple(
        (f"{_OURS}client-{name.replace('_', '-')}", value) for name, value in metadata if value.isprintable()
    )
    if same_protocol:
        mine = tuple(
            (name, value) for name, value in headers.items() if name not in _HOP and not name.startswith(_OURS)
        )
        return mine + lifted
    key = headers.get("authorization") or (f"Bearer {headers['x-api-key']}" if headers.get("x-api-key") else "")
    return (("content-type", "application/json"), *((("authorization", key),) if key else ()), *lifted)


def back(headers: Mapping[str, str]) -> Headers:
    """The server's headers for a client of the same protocol."""
    return tuple((name, value) for name, value in headers.items() if name not in _HOP)
