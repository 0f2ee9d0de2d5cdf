"""What requests began with that came lately, so that the next ones are not read as a whole.

Texts of the clients, in memory only, one for each conversation at most, and bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from keepwarm.codec.lead import Cut, Lead

BYTES: Final = 64 * 1024 * 1024


class Leads:
    """The beginnings of the latest requests.

    capacity  bytes of text that are kept
    """

    def __init__(self, capacity: int = BYTES) -> None:
        self._capacity = capacity
        self._held = 0
        self._leads: OrderedDict[int, Lead] = OrderedDict()
        """By their identity, the latest last."""

    def find(self, body: bytes) -> Cut | None:
        """A request cut behind what is known of it; None where nothing is."""
        return next((cut for lead in reversed(self._leads.values()) if (cut := lead.cut(body)) is not None), None)

    def learn(self, lead: Lead, old: Lead | None = None) -> None:
        """Expect `lead`, in the place of `old` from which it goes on."""
        if old is not None and self._leads.pop(id(old), None) is not None:
            self._held -= len(old.text)
        self._leads[id(lead)] = lead
        self._held += len(lead.text)
        while self._held > self._capacity:
            _, gone = self._leads.popitem(last=False)
            self._held -= len(gone.text)

    def bytes(self) -> int:
        """Of text held."""
        return self._held
