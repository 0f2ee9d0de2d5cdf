"""A prompt as a row of segments: what stood already, what changed, what was processed again, what is new.

Where the texts are recorded, each segment is one that went upstream, and its tokens are a share of the server's own
count by bytes (a server does not count parts). Else there are as many segments as the verdict's counts can tell.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from keepwarm.core.diff import common_prefix
from keepwarm.ledger.records import Place, Record, Recording

State: TypeAlias = Literal["stable", "changed", "again", "new"]
"""`stable`: it stood in the request before, and so did all in front of it. `changed`: it stands at the place of another
one, and the server cannot reuse it or what follows. `again`: it had stood, behind such a place. `new`: it had not."""
BEFORE: Final = 400
"""Characters in front of the place where two texts part, which a diff shows; and behind it:"""
BEHIND: Final = 1200
_PATHS: Final = {"the system prompt": "/system", "the tools": "/tools"}


class Segment(msgspec.Struct, frozen=True):
    """A part of a prompt, in the order in which the model reads it."""

    what: str
    """In words: "the system prompt", "turn 3 (user)"."""
    path: str
    """JSON pointer into the body that the client sent, where one is known; else ""."""
    tokens: int | None
    """About how many; None where the server reports none."""
    chars: int | None
    """Of its text; None where that is not recorded."""
    state: State
    text: str | None = None
    """As it went upstream; None where it is not recorded."""


class Segments(msgspec.Struct, frozen=True):
    """A prompt."""

    segments: tuple[Segment, ...]
    grade: Literal["recorded", "counted"]
    """`recorded`: from the texts; `counted`: from what the server counted and the verdict says."""


class Diff(msgspec.Struct, frozen=True):
    """The first place where a prompt parts from the one before it."""

    request: str
    previous: str
    """The id of the request before it; "" when there is none."""
    what: str
    """In words, which part of the prompt; "" when it parts nowhere."""
    path: str
    """JSON pointer into the body that the client sent; "" where none is known."""
    code: str
    """The rule that knows the cause; "" when none does."""
    offset: int
    """Characters of `before` and of `after` that are the same."""
    before: str
    after: str
    recorded: bool
    """Whether these are the words; else they are shapes: letters and figures are hidden."""


def segments(record: Record, mine: Recording | None, before: Recording | None, previous: Record | None) -> Segments:
    """The prompt of a request.

    mine, before  the texts of the request and of the one before it in its conversation, where they are recorded
    previous      the request before it
    """
    if mine is None or (before is None and previous is not None):
        return Segments(_counted(record), "counted")
    sent, older = mine.sent, before.sent if before is not None else ()
    shared = common_prefix([digest for digest, _ in older], [digest for digest, _ in sent])
    stood = {digest for digest, _ in older}
    texts = [text.decode(errors="replace") for _, text in sent]
    tokens = _spread(record.usage.prompt_tokens, [len(text) for _, text in sent])
    names = _names(texts)
    found = []
    for place, (digest, _) in enumerate(sent):
        state: State = "stable"
        if place >= shared:
            state = "again" if digest in stood else "new"
            state = "changed" if place == shared and place < len(older) and state == "new" else state
        found.append(
            Segment(names[place], _PATHS.get(names[place], ""), tokens[place], len(texts[place]), state, texts[place])
        )
    return Segments(tuple(found), "recorded")


def diff(record: Record, mine: Recording | None, before: Recording | None) -> Diff:
    """Where a prompt parts from the one before it: the words where they are recorded, else the redacted excerpts."""
    verdict = record.verdict
    place = verdict.place if verdict is not None and verdict.place is not None else Place("", 0, "")
    parted = _parting(mine, before) if mine is not None and before is not None else None
    if parted is None:
        # A recorded request's excerpts are words too; without its texts nobody can tell, and none are shown as such.
        kept = mine is not None
        return Diff(record.id, record.parent, place.what, place.path, place.code, 0, place.before, place.after, kept)
    what, old, new = parted
    same = common_prefix(old, new)
    start = max(0, same - BEFORE)
    return Diff(
        record.id,
        record.parent,
        place.what or what,
        place.path,
        place.code,
        same - start,
        old[start : same + BEHIND],
        new[start : same + BEHIND],
        True,
    )


def _parting(mine: Recording, before: Recording) -> tuple[str, str, str] | None:
    """(which segment, the text before, the text now) of the first one that is another; None where none is."""
    shared = common_prefix([digest for digest, _ in before.sent], [digest for digest, _ in mine.sent])
    if shared >= len(before.sent):
        return None
    new = [text.decode(errors="replace") for _, text in mine.sent]
    old = before.sent[shared][1].decode(errors="replace")
    if shared >= len(new):
        return "the end of the prompt, which is shorter now", old, ""
    return _names(new)[shared], old, new[shared]


def _counted(record: Record) -> tuple[Segment, ...]:
    usage, verdict = record.usage, record.verdict
    prompt, cached = usage.prompt_tokens, usage.cached_tokens
    if prompt is None:
        return ()
    if cached is None:
        return (Segment("the prompt: the server does not say what it reused", "", prompt, None, "new"),)
    lost = min(verdict.lost if verdict is not None else 0, max(0, prompt - cached))
    place = verdict.place if verdict is not None else None
    rows: list[Segment] = []
    if cached:
        rows.append(Segment("reused from the cache", "", cached, None, "stable"))
    if place is not None and lost:
        rows.append(Segment(place.what, place.path, 0, None, "changed"))
    if lost:
        rows.append(Segment("processed again", "", lost, None, "again"))
    if prompt - cached - lost > 0:
        rows.append(Segment("new", "", prompt - cached - lost, None, "new"))
    return tuple(rows)


def _spread(tokens: int | None, sizes: list[int]) -> list[int | None]:
    """A count in parts as large as `sizes`: their sum is the count."""
    if tokens is None:
        return [None] * len(sizes)
    whole, given, at = max(1, sum(sizes)), 0, 0
    parts: list[int | None] = []
    for size in sizes:
        at += size
        upto = tokens * at // whole
        parts.append(upto - given)
        given = upto
    return parts


def _names(texts: list[str]) -> list[str]:
    names, turn = [], 0
    for place, text in enumerate(texts):
        rows = _objects(text)
        if place < 2 and rows and all("role" not in row for row in rows):
            is_tools = any("function" in row or "input_schema" in row for row in rows)
            names.append("the tools" if is_tools else "the system prompt")
        elif place == 0 and rows and rows[0].get("role") in ("system", "developer"):
            names.append("the system prompt")
        else:
            turn += 1
            roles = list(dict.fromkeys(str(row.get("role", "")) for row in rows if row.get("role")))
            names.append(f"turn {turn} ({', '.join(roles)})" if roles else f"turn {turn}")
    return names


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a segment: some, with commas between them, or a list of them; none when it is no JSON."""
    for said in (f"[{text.strip().strip(',')}]", text):
        try:
            found = msgspec.json.decode(said)
        except msgspec.DecodeError:
            continue
        if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
            found = found[0]
        if isinstance(found, list):
            return [row for row in found if isinstance(row, dict)]
    return []
