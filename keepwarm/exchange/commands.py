"""What a life asks of the shell, and what the shell tells it. Values only: a life can be played in a test.

A life is a generator: it yields a command, the shell performs it. Only `Wait` is answered, with the next event.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from keepwarm.core.events import Progress
from keepwarm.core.secret import Address, Parcel
from keepwarm.ledger.records import Record, Recording
from keepwarm.session.archive import Conversation
from keepwarm.upstream.api import Outgoing

Headers: TypeAlias = tuple[tuple[str, str], ...]


class Fetch(msgspec.Struct, frozen=True):
    """Look for what is kept of a conversation that is not in memory; Fetched comes as an event."""

    address: Address
    others: bool = False
    """Whether another owner's will do: a conversation may have been forked under another name."""


class Open(msgspec.Struct, frozen=True):
    """Send the request to the server; Opened, then Arrived and Ended, or Lost, come as events."""

    request: Outgoing


class Take(msgspec.Struct, frozen=True):
    """Wait until nobody else's request is at work in this slot, and hold it to the end of the life; Taken comes as
    an event."""

    slot: int


class Ask(msgspec.Struct, frozen=True):
    """Send a small request beside it; Answered comes as an event."""

    request: Outgoing


class Start(msgspec.Struct, frozen=True):
    """Begin the answer to the client: from here on its status stands."""

    status: int
    headers: Headers


class Send(msgspec.Struct, frozen=True):
    """More of the answer to the client."""

    data: bytes


class Tell(msgspec.Struct, frozen=True):
    """Prefill of a request has come this far: for whoever watches."""

    call: str
    progress: Progress


class Finish(msgspec.Struct, frozen=True):
    """The answer that Start began is complete."""


class Reply(msgspec.Struct, frozen=True):
    """A whole answer to the client."""

    status: int
    headers: Headers
    body: bytes


class Wait(msgspec.Struct, frozen=True):
    """Give me the next event; Tick when none has come after `seconds`."""

    seconds: float


class Close(msgspec.Struct, frozen=True):
    """Nothing more is wanted of the server: cancel what runs."""


class Write(msgspec.Struct, frozen=True):
    """The record: exactly one in a life, and its last command."""

    record: Record
    recording: Recording | None = None
    parcel: Parcel | None = None
    """What stands of its conversation since then, to be kept."""


Command: TypeAlias = Fetch | Take | Open | Ask | Start | Send | Tell | Finish | Reply | Wait | Close | Write


class Fetched(msgspec.Struct, frozen=True):
    """What was kept, the latest last; none when nothing was, or it cannot be read."""

    conversations: tuple[Conversation, ...]
    at: float
    """Milliseconds since the request came, as in every event."""


class Opened(msgspec.Struct, frozen=True):
    """The server has answered with a status and headers (their names in lower case)."""

    status: int
    headers: dict[str, str]
    at: float
    sent: float = 0.0
    """Milliseconds until the request began to go out: keepwarm's own work."""


class Arrived(msgspec.Struct, frozen=True):
    """Bytes of the server's answer."""

    data: bytes
    at: float


class Ended(msgspec.Struct, frozen=True):
    """The server's answer is complete."""

    at: float


class Lost(msgspec.Struct, frozen=True):
    """The connection to the server failed or broke."""

    reason: str
    at: float


class Taken(msgspec.Struct, frozen=True):
    """The slot is held."""

    at: float


class Answered(msgspec.Struct, frozen=True):
    """What came back for an Ask; status 0 when nothing did."""

    status: int
    body: bytes
    at: float


class HungUp(msgspec.Struct, frozen=True):
    """The client is gone."""

    at: float


class Tick(msgspec.Struct, frozen=True):
    """Nothing happened while waiting."""

    at: float


Event: TypeAlias = Fetched | Opened | Arrived | Ended | Lost | Taken | Answered | HungUp | Tick
