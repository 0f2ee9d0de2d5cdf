"""A slot is held by one at a time, goes on in the order of asking, and is never lost with one who left."""

from __future__ import annotations

import asyncio

import pytest

from keepwarm.shell.slot import Slot


async def queue_for(slot: Slot, name: str, order: list[str]) -> None:
    await slot.take()
    order.append(name)


async def settle() -> None:
    """Lets every task go on until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_free_slot_is_taken_at_once_and_a_held_one_is_not() -> None:
    slot = Slot()
    assert slot.take_now()
    assert not slot.take_now()
    slot.release()
    await slot.take()
    assert not slot.take_now()


async def test_it_goes_from_hand_to_hand_in_the_order_of_asking() -> None:
    slot, order = Slot(), list[str]()
    assert slot.take_now()
    tasks = [asyncio.create_task(queue_for(slot, name, order)) for name in "abc"]
    await settle()
    for count in (1, 2, 3):
        slot.release()
        assert not slot.take_now()  # it is the next one's, who has not even run yet
        await settle()
        assert order == list("abc")[:count]
    slot.release()
    assert slot.take_now()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("handed_over", [False, True])
async def test_who_leaves_the_queue_takes_it_from_nobody(handed_over: bool) -> None:
    slot, order = Slot(), list[str]()
    assert slot.take_now()
    leaving, staying = (asyncio.create_task(queue_for(slot, name, order)) for name in ("leaving", "staying"))
    await settle()
    if handed_over:  # released to it, and cancelled before it could run
        slot.release()
        leaving.cancel()
    else:
        leaving.cancel()
        await settle()
        slot.release()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await staying
    assert order == ["staying"]
    slot.release()
    assert slot.take_now()
