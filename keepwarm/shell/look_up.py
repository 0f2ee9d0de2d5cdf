"""Looking for what the ledger keeps of a conversation, in a thread of its own: the loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor

from keepwarm.core.secret import Address
from keepwarm.ledger.store import Ledger
from keepwarm.session.archive import Conversation, Damaged, unpack

log = logging.getLogger("keepwarm")


class LookUp:
    """One look at a time; whoever has waited too long goes on without."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, "keepwarm-look-up")
        self._told = False

    async def fetch(self, address: Address, others: bool) -> tuple[Conversation, ...]:
        """What is kept at an address, the latest last; what cannot be read is let go, and nothing is found."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, address, others)

    def close(self) -> None:
        """Take no more questions."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, address: Address, others: bool) -> tuple[Conversation, ...]:
        archive = self._ledger.archive
        if archive is None:
            return ()
        read: list[Conversation] = []
        try:
            found, damaged = archive.fetch(address, others=others)
            for kept in found:
                try:
                    conversation = unpack(kept.values, kept.secret)
                except Damaged as error:
                    damaged.append((kept.number, str(error)))
                else:
                    read += [] if conversation is None else [conversation]
            for number, reason in damaged:
                self._ledger.forget(number, reason)
                self._tell(reason)
        except (sqlite3.Error, OSError) as error:
            self._tell(str(error))
        return tuple(read)

    def _tell(self, reason: str) -> None:
        """Once: there may be a thousand such conversations."""
        if not self._told:
            self._told = True
            log.warning(
                "what stood of a conversation cannot be read (%s): it begins anew, and so will others of which this is "
                "true; `keepwarm log` counts them",
                reason,
            )
