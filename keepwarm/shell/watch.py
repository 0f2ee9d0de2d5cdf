"""What happens in a gateway, noted at once and handed on a moment later and together.

To note costs a request next to nothing; whoever counts, tells or exports does it afterwards, beside the traffic.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from keepwarm.core.events import Progress
from keepwarm.ledger.records import Record

log = logging.getLogger("keepwarm")
LATER_SECONDS: Final = 0.1
"""How long what happens is gathered."""
AGAIN_SECONDS: Final = 0.5
"""How often it is looked whether a verdict is final."""


class Batch(msgspec.Struct, frozen=True):
    """What happened since the last one."""

    records: list[Record] = []
    """Requests that are over, in the order in which they ended."""
    amended: list[Record] = []
    """Requests whose verdict is a better one now."""
    final: list[Record] = []
    """Requests whose verdict changes no more, each once."""
    progress: dict[str, Progress] = {}
    """The latest word on prefills, by request."""


class Watched(Protocol):
    """As much of a gateway as is watched."""

    @property
    def watchers(self) -> list[Callable[[Record], None]]:
        """Called with each record as it is written."""

    @property
    def amended(self) -> list[Callable[[Record], None]]:
        """Called with each record whose verdict is a better one now."""

    @property
    def progress(self) -> list[Callable[[str, Progress], None]]:
        """Called while a long prefill goes on."""

    def unsettled(self, call: str) -> bool:
        """Whether the verdict on a request may still be amended."""


class Watch:
    """Belongs to the loop that the gateway runs in."""

    def __init__(self, gateway: Watched) -> None:
        self._unsettled = gateway.unsettled
        self._takers: list[Callable[[Batch], None]] = []
        self._batch = Batch()
        self._held: dict[str, Record] = {}
        self._timer: asyncio.TimerHandle | None = None
        gateway.watchers.append(self._record)
        gateway.amended.append(self._amended)
        gateway.progress.append(self._progress)

    def add(self, taker: Callable[[Batch], None]) -> None:
        """`taker` gets each batch; it must be quick."""
        self._takers.append(taker)

    def poke(self, seconds: float = LATER_SECONDS) -> None:
        """Something else has changed, or will: there is to be a batch within so many seconds."""
        self._arm(seconds)

    def flush(self) -> None:
        """Hand on what has been noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._batch = self._batch, Batch()
        for call in [call for call in self._held if not self._unsettled(call)]:
            batch.final.append(self._held.pop(call))
        for taker in tuple(self._takers):
            try:
                taker(batch)
            except Exception:  # the log learns of it: the others still get theirs
                log.exception("%r takes no more of what happens: it failed", taker)
                self._takers.remove(taker)
        if self._held:
            self._arm(AGAIN_SECONDS)

    def stop(self) -> None:
        """Hand on what has been noted, and note nothing more of it."""
        self.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._takers.clear()

    def _record(self, record: Record) -> None:
        self._batch.records.append(record)
        self._held[record.id] = record
        self._arm(LATER_SECONDS)

    def _amended(self, record: Record) -> None:
        self._batch.amended.append(record)
        if record.id in self._held:
            self._held[record.id] = record
        self._arm(LATER_SECONDS)

    def _progress(self, call: str, progress: Progress) -> None:
        self._batch.progress[call] = progress
        self._arm(LATER_SECONDS)

    def _arm(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self.flush)
