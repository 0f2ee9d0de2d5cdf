"""What the gateway's JSON API answers, besides what the ledger's query layer gives as it is."""

from __future__ import annotations

import msgspec

from keepwarm.ledger.sessions import ConversationSums, SessionSums
from keepwarm.ledger.sums import Bucket
from keepwarm.views.alerts import Alert
from keepwarm.views.explain import Answer


class Fault(msgspec.Struct, frozen=True):
    """Why there is no answer."""

    message: str
    remedy: str
    """What to do."""


class Refusal(msgspec.Struct, frozen=True):
    """An answer that is none."""

    error: Fault


class SessionAnswer(msgspec.Struct, frozen=True):
    """One session."""

    session: SessionSums
    conversations: tuple[ConversationSums, ...]
    """In the order in which they began."""


class Explanation(Answer, frozen=True):
    """Why a request was processed as it was."""

    page: str
    """The page of `keepwarm explain` as plain text."""


class Series(msgspec.Struct, frozen=True):
    """Sums over time."""

    buckets: tuple[Bucket, ...]
    """Of each step that has requests, oldest first."""


class GatewayFacts(msgspec.Struct, frozen=True):
    """The gateway itself."""

    version: str
    url: str
    started: float
    """Unix seconds."""


class UpstreamFacts(msgspec.Struct, frozen=True):
    """The model server."""

    url: str
    kind: str
    """"" while none answers, or none was asked for anything yet."""
    slots: int
    context: int | None
    """Tokens that one conversation can hold."""
    model: str
    version: str


class SlotFacts(msgspec.Struct, frozen=True):
    """A slot of the server."""

    slot: int
    session: str
    lineage: str
    """Whose conversation it holds; "side" for the calls that share one; "" while it is empty."""
    kind: str
    tokens: int | None
    """Tokens that stand in it after its last request; None where that is not known."""
    busy: bool


class ProgressFacts(msgspec.Struct, frozen=True):
    """How far a prefill has come."""

    processed: int
    """Tokens done, cached ones included."""
    total: int
    cached: int
    ms: float


class Running(msgspec.Struct, frozen=True):
    """A request that is being served."""

    call: str
    """The id that its record will have."""
    session: str
    lineage: str
    kind: str
    """"main", "subagent" or "side"; "" before it is known."""
    client: str
    model: str
    since: float
    """Unix seconds when it came."""
    phase: str
    """"waiting" (for a slot, or for keepwarm itself), "prefill" or "generating"."""
    slot: int | None
    progress: ProgressFacts | None


class LedgerFacts(msgspec.Struct, frozen=True):
    """The ledger."""

    path: str
    """"" when none is kept."""
    dropped: int
    """Records that this process could not keep."""
    drop_reason: str


class Live(msgspec.Struct, frozen=True):
    """What happens at this moment."""

    gateway: GatewayFacts
    upstream: UpstreamFacts
    slots: tuple[SlotFacts, ...]
    running: tuple[Running, ...]
    alerts: tuple[Alert, ...]
    """The latest ones of this process, oldest first."""
    hit_rate: float | None
    """Of all requests since the gateway started."""
    ledger: LedgerFacts


class LiveProgress(msgspec.Struct, frozen=True):
    """Progress of one request, as `/api/events` tells it."""

    call: str
    progress: ProgressFacts
