"""Events come out in their order, time runs out where none comes, and a full inbox makes its writers wait."""

from __future__ import annotations

import asyncio

import pytest

from keepwarm.shell.inbox import Inbox


async def test_events_come_in_their_order() -> None:
    inbox: Inbox[int] = Inbox()
    for event in range(3):
        await inbox.put(event)
    assert len(inbox) == 3
    assert [await inbox.get(60) for _ in range(3)] == [0, 1, 2]
    assert len(inbox) == 0


async def test_who_waits_is_woken_by_an_event() -> None:
    inbox: Inbox[int] = Inbox()
    getting = asyncio.create_task(inbox.get(60))
    await asyncio.sleep(0)
    inbox.put_now(1)
    inbox.put_now(2)
    assert await getting == 1
    assert await inbox.get(60) == 2


async def test_time_runs_out_where_nothing_comes() -> None:
    inbox: Inbox[int] = Inbox()
    assert await inbox.get(0.0) is None
    inbox.put_now(1)
    assert await inbox.get(0.0) == 1


async def test_a_full_inbox_makes_its_writers_wait_until_there_is_room() -> None:
    inbox: Inbox[int] = Inbox(limit=2)

    async def write() -> None:
        for event in range(6):
            await inbox.put(event)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert len(inbox) == 2
    assert [await inbox.get(60) for _ in range(6)] == list(range(6))
    await writing


async def test_a_writer_that_leaves_holds_up_no_other() -> None:
    inbox: Inbox[str] = Inbox(limit=1)
    await inbox.put("first")
    leaving = asyncio.create_task(inbox.put("never"))
    staying = asyncio.create_task(inbox.put("second"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await inbox.get(60) == "first"
    await staying
    assert await inbox.get(60) == "second"


async def test_a_reader_that_leaves_loses_no_event() -> None:
    inbox: Inbox[int] = Inbox()
    reading = asyncio.create_task(inbox.get(60))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    inbox.put_now(1)
    assert await inbox.get(60) == 1
