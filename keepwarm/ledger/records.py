"""One request as the ledger keeps it. No prompt text stands here: places, counts, digests and reasons only."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote

Grade: TypeAlias = Literal["exact", "counted", "estimated", "unknown"]
"""What a verdict rests on: the server's token ids, its counts, our estimate from bytes, or nothing reported."""
Outcome: TypeAlias = Literal["hit", "partial", "miss", "first", "unknown"]
"""`first`: nothing of this conversation could be cached yet. `unknown`: the server reports no cached tokens."""
Blame: TypeAlias = Literal["client", "gateway", "seat", "server", "provider", "nobody"]
Ending: TypeAlias = Literal["done", "failed", "hung_up"]


class Place(msgspec.Struct, frozen=True):
    """Where a prompt first differs from its predecessor."""

    path: str
    """JSON pointer into the received body: "/system/2/text"."""
    offset: int
    """Characters into the text at `path` that are the same."""
    what: str
    """In words: "system[2]", "the result of Bash in messages[7]"."""
    before: str = ""
    """A redacted excerpt of what stood there: its shape, not its words."""
    after: str = ""
    code: str = ""
    """The rule that knows it; "" when none does."""


class Verdict(msgspec.Struct, frozen=True):
    """What the cache did for one request, what it could have done, and whose fault the difference is."""

    outcome: Outcome
    blame: Blame
    grade: Grade
    expected: int | None = None
    """Tokens that could have been reused."""
    actual: int | None = None
    """Tokens that the server says it reused; None when it does not say."""
    lost: int = 0
    """Tokens processed again that had been processed before."""
    causes: tuple[str, ...] = ()
    """Rule codes, most tokens lost first."""
    place: Place | None = None
    """Where the prompt first parts."""
    sentence: str = ""
    """All of it in one sentence for a person."""
    had: int | None = None
    """Tokens that stood in the cache after the request before: what could be reused if nothing had changed."""
    lost_ms: float | None = None
    """What the lost tokens took, at the rate at which this prompt was processed, or at the usual one where the server
    does not measure it; None when neither is known."""
    places: tuple[Place, ...] = ()
    """Where each cause is, in the order in which models read."""
    shared: int | None = None
    """Leading tokens that this prompt and the one before have, by the server's own ids; None where it was not asked."""


class Seat(msgspec.Struct, frozen=True):
    """Where a request was sent."""

    slot: int | None
    """The server's slot that was asked for; None when the server chose."""
    reason: str
    replica: str = ""


class Record(msgspec.Struct, frozen=True):
    """One request's life, written exactly once whatever happened."""

    id: str
    at: float
    """Unix seconds when the request came."""
    front: str
    """The protocol the client spoke: "anthropic"."""
    client: str
    """Name and version from the User-Agent: "claude-cli/2.1.114"."""
    session: str
    agent: str
    kind: str
    """"main", "subagent" or "side"."""
    lineage: str
    """Hex; "" when the request never got that far."""
    parent: str
    """The id of the request before it in its lineage; "" for the first."""
    turn: int
    """1 for the first request of the lineage."""
    upstream: str
    model: str
    stream: bool
    status: int
    """The HTTP status that the client saw."""
    ending: Ending
    error: str = ""
    """The error's kind and wording, when there was one."""
    edits: tuple[EditNote, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    """Values lifted out of the prompt: (("cc_version", "2.1.114.c39"), ...)."""
    usage: Usage = Usage()
    verdict: Verdict | None = None
    seat: Seat | None = None
    received_bytes: int = 0
    sent_bytes: int = 0
    answered_bytes: int = 0
    overhead_ms: float | None = None
    """From the whole body received to the upstream request ready to go: keepwarm's own work."""
    first_byte_ms: float | None = None
    """From the request's arrival to the first byte given to the client."""
    first_token_ms: float | None = None
    """From the request's arrival to the first token of the answer."""
    total_ms: float | None = None


class Recording(msgspec.Struct, frozen=True):
    """The texts of one request, kept only with `--record`: each distinct segment is stored once."""

    id: str
    """The record's id."""
    received: tuple[tuple[bytes, bytes], ...]
    """(digest, text) of the client's segments in order."""
    sent: tuple[tuple[bytes, bytes], ...]
    """(digest, text) of what went upstream, in order."""
