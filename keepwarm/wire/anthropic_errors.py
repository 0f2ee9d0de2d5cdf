"""Errors as the Messages API words them: what is wrong with a request, and error bodies and events.

Claude Code reads these words. `prompt is too long: N tokens > M maximum` starts compaction, and a 400 that it does
not know makes it send other bodies for the rest of the session, so a request is refused only where it cannot be
read. Source of the shapes: docs.anthropic.com, "Errors"; the wording is the API's own (pydantic's).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.frames import sse
from keepwarm.core.events import Failed
from keepwarm.errors import BadJson

TYPE_BY_STATUS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_TYPE_BY_KIND: Final = {
    "overflow": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "not_found": "not_found_error",
    "bad_request": "invalid_request_error",
    "template": "invalid_request_error",
}

_WANTED: Final = {
    "array": "a valid list",
    "object": "a valid dictionary",
    "str": "a valid string",
    "int": "a valid integer",
    "float": "a valid number",
    "bool": "a valid boolean",
}


_PLACE = re.compile(r" - at `\$([^`]*)`$")
# msgspec writes [...] for any key of a dict: the pointer ends at the dict then.
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_EXPECTED = re.compile(r"Expected `([^`]+)`")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_LIMIT = re.compile(r"(?:context (?:size|length|window)|maximum)[^0-9]{0,24}(\d+)")
_NUMBER = re.compile(r"\d+")
_TOO_LONG = "prompt is too long"


def wrong(path: str, what: str) -> BadJson:
    """A fault at a JSON pointer: "/messages/3/role" and "Field required" make "messages.3.role: Field required"."""
    place = path.strip("/").replace("/", ".")
    return BadJson(f"{place}: {what}" if place else what, path=path)


def unreadable(error: Exception, path: str = "") -> BadJson:
    """What msgspec found wrong with the value at `path`, in the API's words."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        if isinstance(error, RecursionError):
            text = "it is nested too deeply"
        elif isinstance(error, UnicodeDecodeError):
            text = "it is not UTF-8"
        return BadJson(f"The request body is not valid JSON: {text}", path=path)
    if (found := _PLACE.search(text)) is not None:
        path += "".join(f"/{name or index}" for name, index in _STEP.findall(found.group(1)))
    if (missing := _MISSING.search(text)) is not None:
        return wrong(f"{path}/{missing.group(1)}", "Field required")
    expected = _EXPECTED.search(text)
    wanted = expected.group(1).split(" | ")[0] if expected is not None else ""
    if wanted in _WANTED:
        return wrong(path, f"Input should be {_WANTED[wanted]}")
    return wrong(path, _PLACE.sub("", text))


def error_body(status: int, kind: str, message: str, request_id: str = "") -> tuple[int, bytes]:
    """(HTTP status, JSON body) for a failure.

    status      the upstream's; 0 for none. An overflow is always 400
    kind        one of `Failed.kind`'s words, or ""
    request_id  as in the `request-id` header; null in the body when it is ""
    """
    status, error = _error(status, kind, message)
    return status, msgspec.json.encode({"type": "error", "error": error, "request_id": request_id or None})


def error_event(failed: Failed) -> bytes:
    """The SSE event that tells of a failure after the headers have gone."""
    _, error = _error(failed.status, failed.kind, failed.message)
    return sse("error", msgspec.json.encode({"type": "error", "error": error}))


def _error(status: int, kind: str, message: str) -> tuple[int, dict[str, str]]:
    if kind == "overflow":
        status, message = 400, too_long(message)
    if not 400 <= status <= 599:
        status = 529 if kind == "overloaded" else 502
    fallback = "api_error" if status >= 500 else "invalid_request_error"
    return status, {"type": _TYPE_BY_KIND.get(kind) or TYPE_BY_STATUS.get(status, fallback), "message": message}


def too_long(message: str) -> str:
    """A server's words for a context overflow in the words that start compaction.

    llama.cpp: "request (9000 tokens) exceeds the available context size (8192 tokens)"; vLLM: "maximum context
    length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, ..)". The limit stands behind
    its name, the request is the largest number over it.
    """
    if _TOO_LONG in message.lower():
        return message
    limit = _LIMIT.search(message)
    if limit is not None:
        maximum = int(limit.group(1))
        asked = max(int(number) for number in _NUMBER.findall(message))
        if asked > maximum:
            return f"{_TOO_LONG}: {asked} tokens > {maximum} maximum"
    return f"{_TOO_LONG}: {message}"
