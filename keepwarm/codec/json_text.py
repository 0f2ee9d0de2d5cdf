"""What every reader of JSON from outside needs: what reading can raise, and whether a text is a whole object."""

from __future__ import annotations

import json
from typing import Final

import msgspec

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a text that is no JSON, is not UTF-8, or is nested without end."""


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


def _refuse(word: str) -> None:
    """NaN and Infinity, which Python would read."""
    raise ValueError(f"{word} is no JSON")
