"""What happens is handed on together, and a verdict is called final when it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from keepwarm.core.events import Progress
from keepwarm.ledger.records import Record, Verdict
from keepwarm.shell import watch
from keepwarm.shell.watch import Batch, Watch
from tests.ledger.samples import a_record

BETTER = Verdict("partial", "client", "exact", lost=5)


class House:
    """As much of a gateway as a watch needs."""

    def __init__(self) -> None:
        self.watchers: list[Callable[[Record], None]] = []
        self.amended: list[Callable[[Record], None]] = []
        self.progress: list[Callable[[str, Progress], None]] = []
        self.asked: set[str] = set()

    def unsettled(self, call: str) -> bool:
        return call in self.asked


def watched() -> tuple[House, Watch, list[Batch]]:
    house, seen = House(), list[Batch]()
    watching = Watch(house)
    watching.add(seen.append)
    return house, watching, seen


async def test_what_happens_comes_together_and_once() -> None:
    house, watching, seen = watched()
    for record in (a_record(id="r1"), a_record(id="r2")):
        house.watchers[0](record)
    house.progress[0]("r3", Progress(9, 0, 1, 1.0))
    house.progress[0]("r3", Progress(9, 0, 5, 2.0))
    assert not seen, "a request waits for nobody"
    watching.flush()
    assert [record.id for record in seen[0].records] == ["r1", "r2"]
    assert [record.id for record in seen[0].final] == ["r1", "r2"]
    assert seen[0].progress == {"r3": Progress(9, 0, 5, 2.0)}
    watching.flush()
    assert seen[1] == Batch()


async def test_a_verdict_that_may_be_amended_is_not_final() -> None:
    house, watching, seen = watched()
    house.asked.add("r1")
    house.watchers[0](a_record(id="r1"))
    watching.flush()
    assert ([record.id for record in seen[0].records], seen[0].final) == (["r1"], [])
    house.amended[0](replace(a_record(id="r1"), verdict=BETTER))
    watching.flush()
    assert [record.verdict for record in seen[1].amended] == [BETTER]
    assert not seen[1].final
    house.asked.clear()
    watching.flush()
    assert [record.verdict for record in seen[2].final] == [BETTER], "as it was amended, and once"


async def test_a_question_that_came_to_nothing_leaves_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody tells of it: it is looked for."""
    monkeypatch.setattr(watch, "LATER_SECONDS", 0.0)
    monkeypatch.setattr(watch, "AGAIN_SECONDS", 0.0)
    house, watching, _ = watched()
    final = asyncio.Event()
    watching.add(lambda batch: final.set() if batch.final else None)
    house.asked.add("r1")
    house.watchers[0](a_record(id="r1"))
    await asyncio.sleep(0.01)
    assert not final.is_set()
    house.asked.clear()
    async with asyncio.timeout(10):
        await final.wait()


async def test_who_fails_takes_no_more_and_the_others_do(caplog: pytest.LogCaptureFixture) -> None:
    house, watching, seen = watched()

    def fails(_: Batch) -> None:
        raise ValueError("broken")

    watching.add(fails)
    with caplog.at_level(logging.ERROR, "keepwarm"):
        for _ in range(2):
            house.watchers[0](a_record())
            watching.flush()
    assert len(seen) == 2
    assert len(caplog.records) == 1


async def test_a_sooner_moment_takes_the_place_of_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "AGAIN_SECONDS", 1000.0)
    house, watching, seen = watched()
    house.asked.add("r1")
    house.watchers[0](a_record(id="r1"))
    watching.flush()
    watching.poke()
    again = asyncio.Event()
    watching.add(lambda _: again.set())
    async with asyncio.timeout(10):
        await again.wait()
    assert len(seen) == 2


async def test_when_it_stops_what_was_noted_is_handed_on() -> None:
    house, watching, seen = watched()
    house.watchers[0](a_record(id="r1"))
    watching.stop()
    house.watchers[0](a_record(id="r2"))
    watching.flush()
    assert [record.id for batch in seen for record in batch.records] == ["r1"]
