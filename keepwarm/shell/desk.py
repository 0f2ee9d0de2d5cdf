"""Whoever looks on while a gateway works: the API, the events, the metrics, alerts and spans, and what they share."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from keepwarm.shell.alarms import Alarms
from keepwarm.shell.api import Api
from keepwarm.shell.events import Events
from keepwarm.shell.live import live, waiting
from keepwarm.shell.reader import Reader
from keepwarm.shell.spans import Spans, start_spans
from keepwarm.shell.watch import Batch, Watch
from keepwarm.views.alerts import Alert
from keepwarm.views.answers import Live
from keepwarm.views.metrics import CONTENT_TYPE, Metrics, Moment
from keepwarm.views.rule import RuleList

if TYPE_CHECKING:
    from keepwarm.shell.app import Gateway

LIVE_SECONDS: Final = 0.5
"""How often listeners are told what happens while requests are served: how far their prefill has come."""


class Desk:
    """All of it, for one gateway."""

    def __init__(self, gateway: Gateway, rules: RuleList) -> None:
        self._gateway = gateway
        self.rules = rules
        """The rules as they are configured."""
        self.reader = Reader(gateway.ledger.path) if gateway.ledger is not None else None
        """Asks the ledger; None where none is kept."""
        self.events = Events(self.live)
        self.api = Api(self)
        self._metrics = Metrics()
        self._watch = Watch(gateway)
        self._alarms: Alarms | None = None
        self._spans: Spans | None = None

    def live(self) -> Live:
        """What happens at this moment."""
        return live(self._gateway)

    def look(self) -> Live:
        """The same, with all that has been noted until now."""
        self._watch.flush()
        return self.live()

    async def start(self) -> None:
        """Look on from now on."""
        gateway = self._gateway
        self._watch.add(self._count)
        if self.reader is not None:
            self._alarms = Alarms(gateway.config.alerts, self.reader, self._alert, self._metrics.undelivered)
            await self._alarms.start()
            self._watch.add(self._alarms.take)
        self._spans = await asyncio.to_thread(start_spans, os.environ, gateway.upstream.url)
        if self._spans is not None:
            self._watch.add(self._spans.take)
        self._watch.add(self.events.take)

    def changed(self) -> None:
        """Something has changed of which no record tells: a request has come."""
        self._watch.poke()

    def part(self) -> None:
        """Let the listeners go: the gateway stops, and they would keep it waiting."""
        self.events.close()

    async def stop(self) -> None:
        """Hand on what is left, and look no more."""
        self._watch.stop()
        if self._alarms is not None:
            await self._alarms.stop()
        if self._spans is not None:
            await asyncio.to_thread(self._spans.stop)
        if self.reader is not None:
            await self.reader.close()

    async def metrics(self) -> tuple[bytes, str]:
        """(all figures as Prometheus reads them, their media type)."""
        now = self.look()
        ledger = self._gateway.ledger
        moment = Moment(
            running=len(now.running),
            waiting=waiting(now.running),
            slots=max(now.upstream.slots, len(now.slots)),
            slots_busy=sum(slot.busy for slot in now.slots),
            upstream_up=bool(now.upstream.kind),
            listeners=len(self.events),
            dropped=0 if ledger is None else ledger.dropped,
        )
        return await asyncio.to_thread(self._metrics.text, moment), CONTENT_TYPE

    def _count(self, batch: Batch) -> None:
        for record in batch.records:
            self._metrics.record(record)
            self._gateway.now.record(record)
        for record in batch.final:
            self._metrics.verdict(record)
        if len(self.events) and len(self._gateway.now):
            self._watch.poke(LIVE_SECONDS)

    def _alert(self, alert: Alert) -> None:
        self._gateway.now.alerts.append(alert)
        self._metrics.alert(alert.kind)
        self.events.alert(alert)
