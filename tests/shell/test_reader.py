"""Questions to the ledger, in threads of their own."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Query
from keepwarm.ledger.store import Ledger
from keepwarm.shell.reader import THREADS, Reader
from tests.ledger.samples import a_record


async def test_questions_are_answered_beside_the_loop_and_side_by_side(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record(id="r1"))
    assert ledger.flush()
    reader = Reader(ledger.path)
    together = threading.Barrier(THREADS, timeout=20)

    def question(query: Query) -> tuple[int, str]:
        together.wait()
        return query.totals().requests, threading.current_thread().name

    answers = await asyncio.gather(*(reader.ask(question) for _ in range(THREADS)))
    assert [count for count, _ in answers] == [1] * THREADS
    assert len({name for _, name in answers} - {threading.current_thread().name}) == THREADS
    ledger.put(a_record(id="r2"))
    assert ledger.flush()
    assert await reader.ask(lambda query: query.totals().requests) == 2, "what has come since is seen"
    await reader.close()
    ledger.close()


async def test_a_question_that_fails_says_why_and_the_next_is_answered(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "ledger.sqlite")
    with pytest.raises(LedgerError, match="no requests yet"):
        await reader.ask(lambda query: query.totals())
    Ledger(tmp_path / "ledger.sqlite").close()
    assert await reader.ask(lambda query: query.totals().requests) == 0
    await reader.close()


async def test_when_it_is_closed_nothing_is_asked(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "ledger.sqlite")
    await reader.close()
    with pytest.raises(LedgerError, match="stopping"):
        await reader.ask(lambda query: query.totals())
