"""What a running gateway says of this moment (`/api/live`): its server, the slots, and what runs."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class GatewayNow(msgspec.Struct, frozen=True):
    """The gateway that answers."""

    version: str = ""
    url: str = ""
    started: float = 0.0


class ServerNow(msgspec.Struct, frozen=True):
    """The model server behind it."""

    url: str = ""
    kind: str = ""
    slots: int | None = None
    context: int | None = None
    """Tokens that a slot holds."""
    model: str = ""
    version: str = ""


class SlotNow(msgspec.Struct, frozen=True):
    """Who is in one slot of the server."""

    slot: int
    session: str = ""
    lineage: str = ""
    kind: str = ""
    tokens: int | None = None
    busy: bool = False


class Prefill(msgspec.Struct, frozen=True):
    """How far a prefill has come."""

    processed: int
    """Tokens done, cached ones included."""
    total: int
    cached: int = 0
    ms: float = 0.0


class Running(msgspec.Struct, frozen=True):
    """A request that is not over."""

    call: str
    session: str = ""
    kind: str = ""
    since: float = 0.0
    """Unix seconds."""
    progress: Prefill | None = None


class Notice(msgspec.Struct, frozen=True):
    """An alert, in words."""

    words: str = ""
    at: float = 0.0
    session: str = ""


class LedgerNow(msgspec.Struct, frozen=True):
    """The ledger that the gateway writes."""

    path: str = ""
    dropped: int = 0
    drop_reason: str = ""


class Live(msgspec.Struct, frozen=True):
    """Everything that is told of this moment."""

    gateway: GatewayNow = GatewayNow()
    upstream: ServerNow | None = None
    """None when no model server answers."""
    slots: tuple[SlotNow, ...] = ()
    running: tuple[Running, ...] = ()
    alerts: tuple[Notice, ...] = ()
    ledger: LedgerNow | None = None


class _Step(msgspec.Struct, frozen=True):
    call: str
    progress: Prefill


def read_live(data: bytes) -> Live:
    """The answer of `/api/live`. Raises msgspec.MsgspecError when it is another thing."""
    return msgspec.json.decode(data, type=Live)


def step(live: Live, data: bytes) -> Live:
    """The same moment, with what an event `progress` tells of one request. Raises msgspec.MsgspecError."""
    told = msgspec.json.decode(data, type=_Step)
    running = tuple(replace(one, progress=told.progress) if one.call == told.call else one for one in live.running)
    return replace(live, running=running)
