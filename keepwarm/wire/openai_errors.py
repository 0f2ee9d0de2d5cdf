"""Errors as the chat completions API words them: what is wrong with a request, and error bodies and events.

Clients look at the status first: a 400 is the end for OpenCode, Qwen Code and Cline, a 429 or a 5xx is tried again.
`context_length_exceeded`, or the words "maximum context length", start compaction. Source of the shapes: the OpenAI
API reference, "Error codes"; the wording is the API's own.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.frames import sse
from keepwarm.core.events import Failed
from keepwarm.errors import BadJson

_CODES: Final = {
    "overflow": ("invalid_request_error", "context_length_exceeded"),
    "auth": ("invalid_request_error", "invalid_api_key"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "overloaded": ("server_error", "overloaded"),
    "not_found": ("invalid_request_error", "not_found"),
    "too_large": ("invalid_request_error", "request_too_large"),
}
"""(type, code) by `Failed.kind`; any other kind has no code, and a type by its status."""
_KIND_BY_STATUS: Final = {401: "auth", 404: "not_found", 413: "too_large", 429: "rate_limit", 529: "overloaded"}

_WANTED: Final = {"array": "an array", "object": "an object", "str": "a string", "int": "an integer",
                  "float": "a number", "bool": "a boolean"}  # fmt: skip
_PLACE = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_EXPECTED = re.compile(r"Expected `([^`]+)`")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_NAMED = re.compile(r"(?:Invalid type for|Invalid|Missing required parameter:) '([^']+)'")
_NUMBERS = re.compile(r"(\d+) tokens > (\d+) maximum")


def wrong(path: str, what: str) -> BadJson:
    """A fault at a JSON pointer: "/messages/3/role", "expected x" make "Invalid 'messages[3].role': expected x"."""
    return BadJson(f"Invalid '{name_of(path)}': {what}", path=path)


def missing(path: str) -> BadJson:
    """A member that has to be there and is not."""
    return BadJson(f"Missing required parameter: '{name_of(path)}'.", path=path)


def unreadable(error: Exception, path: str = "") -> BadJson:
    """What msgspec found wrong with the value at `path`, in the API's words."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        if isinstance(error, RecursionError):
            text = "it is nested too deeply"
        elif isinstance(error, UnicodeDecodeError):
            text = "it is not UTF-8"
        return BadJson(f"We could not parse the JSON body of your request: {text}", path=path)
    if (found := _PLACE.search(text)) is not None:
        path += "".join(f"/{name or index}" for name, index in _STEP.findall(found.group(1)))
    if (lacking := _MISSING.search(text)) is not None:
        return missing(f"{path}/{lacking.group(1)}")
    expected = _EXPECTED.search(text)
    wanted = expected.group(1).split(" | ")[0] if expected is not None else ""
    if wanted in _WANTED:
        return BadJson(f"Invalid type for '{name_of(path)}': expected {_WANTED[wanted]}.", path=path)
    return wrong(path, _PLACE.sub("", text))


def name_of(path: str) -> str:
    """A JSON pointer as this API names places: "/messages/3/role" is "messages[3].role"."""
    name = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.strip("/").split("/") if part)
    return name.removeprefix(".") or "body"


def error_body(status: int, kind: str, message: str) -> tuple[int, bytes]:
    """(HTTP status, JSON body) for a failure.

    status  the upstream's; 0 for none. An overflow is always 400
    kind    one of `Failed.kind`'s words, or ""
    """
    status, error = _error(status, kind, message)
    return status, msgspec.json.encode({"error": error})


def error_event(failed: Failed) -> bytes:
    """The frame that tells of a failure after the headers have gone; no [DONE] follows it, nothing is done."""
    _, error = _error(failed.status, failed.kind, failed.message)
    return sse("", msgspec.json.encode({"error": error}))


def _error(status: int, kind: str, message: str) -> tuple[int, dict[str, str | None]]:
    if kind == "overflow":
        status, message = 400, too_long(message)
    if not 400 <= status <= 599:
        status = 503 if kind == "overloaded" else 502
    kind = kind if kind in _CODES else _KIND_BY_STATUS.get(status, "")
    fallback = "server_error" if status >= 500 else "invalid_request_error"
    word, code = _CODES.get(kind, (fallback, None))
    code = "permission_denied" if status == 403 else code
    named = _NAMED.match(message)
    return status, {"message": message, "type": word, "param": named.group(1) if named else None, "code": code}


def too_long(message: str) -> str:
    """An overflow ("prompt is too long: N tokens > M maximum", see `upstream.failures`) in this API's words."""
    found = _NUMBERS.search(message)
    if found is None:
        return message
    asked, limit = found.groups()
    return (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in {asked} tokens. "
        "Please reduce the length of the messages."
    )
