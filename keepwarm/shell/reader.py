"""Reading the ledger for the live views, in threads of their own: the loop never waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query

THREADS = 2
T = TypeVar("T")


class Reader:
    """Questions to the ledger of one gateway; a connection for each thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, "keepwarm-reader")
        self._own = threading.local()
        self._open: list[Query] = []
        self._closed = False

    async def ask(self, question: Callable[[Query], T]) -> T:
        """The answer of `question`. Raises what it raises, LedgerError when the ledger cannot be read."""
        if self._closed:
            raise LedgerError("the gateway is stopping: ask again when it runs")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    async def close(self) -> None:
        """Take no more questions, and close the file when the last one is answered."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown, True, cancel_futures=True)
        for query in self._open:
            with contextlib.suppress(LedgerError):
                query.close()

    def _ask(self, question: Callable[[Query], T]) -> T:
        query: Query | None = getattr(self._own, "query", None)
        if query is None:
            query = self._own.query = Query(self._path, any_thread=True)
            self._open.append(query)
        return question(query)
