"""What every reader of JSON from outside needs: what it can raise, what can be mended, and what is a whole object."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a text that is no JSON, is not UTF-8, or is nested without end."""

# A pair of surrogates, or one without its other half, or any other escape (so that `\\ud800` is two of them).
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


def is_object(text: str) -> bool:
    """Whether tool arguments are a whole JSON object; they are not while they are generated, or were cut off."""
    if not text.lstrip().startswith("{"):
        return False
    try:
        # Takes half a surrogate pair, as clients in JavaScript do and msgspec does not.
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def mended(body: bytes) -> bytes:
    """JSON text in which half a surrogate pair is U+FFFD.

    Agents cut tool output between the two halves of an emoji and send one half on every turn from then on. No UTF-8
    can hold it, and the API itself answers 400 to all of them ("no low surrogate in string").
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found.group(1) else found.group(), body)


def _refuse(word: str) -> None:
    """NaN and Infinity, which Python would read."""
    raise ValueError(f"{word} is no JSON")
