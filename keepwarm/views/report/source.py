"""Where the requests of a report come from, when it is a log and not the ledger of a gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.views import words

_TABLE: Final = {ord("|"): "/", ord("`"): "'"}


class Source(msgspec.Struct, frozen=True):
    """A log, or several."""

    files: tuple[str, ...]
    """Their names, without folders."""
    formats: tuple[str, ...]
    """How each is written."""
    begin: float
    """Unix seconds of the first request."""
    end: float
    """A moment behind the last one."""
    read: int
    """Exchanges that are in the report, before any period is chosen."""
    skipped: tuple[tuple[str, int], ...] = ()
    """(why, how many) of those that are not."""
    notes: tuple[str, ...] = ()
    """What else is to be said of the files."""
    places: Mapping[str, str] = {}
    """Where each request stands, by its id: "session.har, entry 12"."""
    ledger: str = ""
    """The name of the ledger that was made of it; "" when it is not kept."""

    def where(self, record_id: str) -> str:
        """What to look at for one request: the command, else its place in the log."""
        if self.ledger:
            return f"keepwarm explain {words.clean(record_id)[:12]} --ledger {words.clean(self.ledger)}"
        # It may stand in a table between backticks.
        return words.clean(self.places.get(record_id, "-")).translate(_TABLE)

    def sentences(self) -> tuple[str, ...]:
        """What a reader must know of it."""
        named = (f"{words.clean(name)} ({form})" for name, form in zip(self.files, self.formats, strict=True))
        said = [f"From a log, not from traffic through keepwarm: {'; '.join(named)}."]
        count = sum(number for _, number in self.skipped)
        left = ", ".join(f"{number:,} {words.clean(why)}" for why, number in self.skipped)
        skipped = f"; {words.times(count, 'other')} left out: {left}" if count else ", none left out"
        said.append(f"{words.times(self.read, 'exchange')} read{skipped}.")
        said += map(words.clean, self.notes)
        said.append("Nothing was rewritten: the requests are judged as they stand in the log.")
        return tuple(said)
