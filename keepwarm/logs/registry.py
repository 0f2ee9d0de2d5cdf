"""Every format of a log, once. A new one is a class in a file beside this one and a line in FORMATS.

A row is recognised by itself, so that lines of several programs may stand in one file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE, mended
from keepwarm.logs.api import Exchange, Format, Unreadable
from keepwarm.logs.claude_trace import ClaudeTrace
from keepwarm.logs.har import Har
from keepwarm.logs.litellm import LiteLLM
from keepwarm.logs.pairs import Pairs

FORMATS: Final[tuple[Format, ...]] = (Har(), Pairs(), ClaudeTrace(), LiteLLM())
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TRANSCRIPT: Final = frozenset({"sessionId", "parentUuid"})
"""Members of Claude Code's own transcripts."""


def read_row(row: bytes) -> tuple[Format, Exchange]:
    """The format of a row, and what it says. Raises Unreadable saying why it is no exchange."""
    row = mended(row)
    try:
        members = _MEMBERS.decode(row)
    except UNREADABLE as error:
        raise Unreadable("it is no JSON object") from error
    found = next((one for one in FORMATS if one.knows(members)), None)
    if found is None:
        raise Unreadable(_stranger(members))
    try:
        return found, found.read(row)
    except UNREADABLE as error:
        raise Unreadable(f"it is no exchange of {found.name}: {_words(str(error))}") from error
    except ValueError as error:
        raise Unreadable(str(error)) from error


def accepted() -> str:
    """What a log may look like, for an error: a line a format."""
    return "\n".join(f"    {one.name}: {one.shape}" for one in FORMATS)


def _stranger(members: Mapping[str, msgspec.Raw]) -> str:
    if _TRANSCRIPT & members.keys():
        return "it is a line of Claude Code's own transcript, which holds no requests: log those with claude-trace"
    return "its members are those of no log that keepwarm knows"


def _words(fault: str) -> str:
    """msgspec's words, which name types and places and quote no value."""
    return fault[:1].lower() + fault[1:]
