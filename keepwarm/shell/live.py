"""What happens at this moment: the requests that are being served, the slots, the latest alerts.

From what the gateway has in memory. A request is noted when it comes and let go when it is over; all else is read when
somebody asks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from keepwarm import __version__
from keepwarm.core.events import Progress
from keepwarm.exchange.life import Life
from keepwarm.exchange.story import UNSET
from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import Sums
from keepwarm.session.seat_table import SeatTable
from keepwarm.upstream.api import Traits
from keepwarm.views.alerts import Alert
from keepwarm.views.answers import (
    GatewayFacts,
    LedgerFacts,
    Live,
    ProgressFacts,
    Running,
    SlotFacts,
    UpstreamFacts,
)

if TYPE_CHECKING:
    from keepwarm.shell.app import Gateway

ALERTS: Final = 50
"""The latest alerts that are remembered."""


class Now:
    """The requests of one gateway that are being served."""

    def __init__(self) -> None:
        self.started = time.time()
        self.alerts: deque[Alert] = deque(maxlen=ALERTS)
        self._lives: dict[str, Life] = {}
        self._tokens: dict[int, int] = {}
        self._cached = self._processed = 0

    def begin(self, life: Life) -> None:
        """A request has come."""
        self._lives[life.story.call.id] = life

    def end(self, life: Life) -> None:
        """It is over."""
        self._lives.pop(life.story.call.id, None)

    def __len__(self) -> int:
        return len(self._lives)

    def life(self, call: str) -> Life | None:
        """A request that is being served."""
        return self._lives.get(call)

    def record(self, record: Record) -> None:
        """What stands in its slot now, and what was reused."""
        usage = record.usage
        self._cached += usage.cached_tokens or 0
        self._processed += max(0, usage.processed_tokens or 0)
        if record.seat is not None and record.seat.slot is not None and usage.prompt_tokens is not None:
            self._tokens[record.seat.slot] = usage.prompt_tokens + (usage.output_tokens or 0)

    @property
    def hit_rate(self) -> float | None:
        """Of all requests since the gateway started; as `Sums` says it."""
        return Sums(cached_tokens=self._cached, processed_tokens=self._processed).hit_rate

    def running(self) -> tuple[Running, ...]:
        """The requests that are being served, in the order in which they came."""
        return tuple(map(_running, self._lives.values()))

    def slots(self, table: SeatTable) -> tuple[SlotFacts, ...]:
        """Who sits in the server's slots."""
        return tuple(
            SlotFacts(
                chair.slot,
                chair.session if chair.tenant else "",
                chair.tenant,
                chair.kind,
                self._tokens.get(chair.slot) if chair.tenant else None,
                bool(chair.busy),
            )
            for chair in table.chairs
        )


def facts(progress: Progress | None) -> ProgressFacts | None:
    """As the API tells it."""
    if progress is None:
        return None
    return ProgressFacts(progress.processed, progress.total, progress.cached, progress.ms)


def live(gateway: Gateway) -> Live:
    """All of it."""
    now, ledger = gateway.now, gateway.ledger
    return Live(
        GatewayFacts(__version__, gateway.url, now.started),
        _upstream(gateway.upstream.url, gateway.upstream.known, gateway.config.upstream.model),
        now.slots(gateway.seats),
        now.running(),
        tuple(now.alerts),
        now.hit_rate,
        LedgerFacts(
            "" if ledger is None else str(ledger.path),
            0 if ledger is None else ledger.dropped,
            "" if ledger is None else ledger.last_error,
        ),
    )


def waiting(running: Sequence[Running]) -> int:
    """Requests that have not gone to the server yet."""
    return sum(1 for one in running if one.phase == "waiting")


def _upstream(url: str, traits: Traits | None, model: str) -> UpstreamFacts:
    known = traits or Traits("")
    return UpstreamFacts(url, known.kind, known.slots, known.context, model or known.model, known.version)


def _running(life: Life) -> Running:
    story = life.story
    phase = "waiting"
    if story.sent_bytes:
        phase = "prefill" if story.first_token == UNSET else "generating"
    return Running(
        story.call.id,
        story.who.session,
        story.stable.name if story.stable is not None else "",
        story.kind,
        story.who.client,
        story.parsed.options.model if story.parsed is not None else "",
        story.call.at,
        phase,
        story.seat.slot if story.seat is not None else None,
        facts(story.progress),
    )
