"""What goes back on what was sent: cheap where a cache can be cut, the server's share of the cost where it cannot.

The yardstick is the same play on an engine with a whole cache: what that one reuses, the prompt itself has kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from keepwarm.testing.scripted import Exchange
from keepwarm.testing.tiny_shapes import Memory
from tests.engines.conftest import OpenStage
from tests.engines.stage import WORDS, Stage, Visitor

Change = Callable[[Visitor], Awaitable[Exchange]]


async def edit(visitor: Visitor) -> Exchange:
    """Another word in the first user turn, and a turn more."""
    visitor.messages[0]["content"] = "Turn none: " + WORDS * 300
    return await visitor.say("Turn 4")


async def rewind(visitor: Visitor) -> Exchange:
    """Back to the second turn, and another third one."""
    del visitor.messages[4:]
    return await visitor.say("Another turn 2")


async def prune(visitor: Visitor) -> Exchange:
    """An old turn is cut short, as agents do with tool output."""
    visitor.messages[2]["content"] = "Turn 1: cleared"
    return await visitor.say("Turn 4")


CHANGES: list[Change] = [edit, rewind, prune]
CELLS: list[tuple[Memory, Change]] = [("recurrent", prune)]
CELLS += [(memory, change) for memory in ("swa", "hybrid") for change in CHANGES]


async def play(stage: Stage, change: Change) -> Exchange:
    """Four turns of 1,200 tokens, then `change`: what that request was."""
    visitor = Visitor(stage, "editor", turn=300)
    for turn in range(4):
        await visitor.say(f"Turn {turn}")
    exchange = await change(visitor)
    assert stage.records[-1].parent, "a request of the same conversation"
    return exchange


_WHOLE: dict[Change, Exchange] = {}


async def kept_by_a_whole_cache(open_stage: OpenStage, change: Change) -> Exchange:
    """The yardstick, measured once: what can be reused is reused."""
    if change not in _WHOLE:
        _WHOLE[change] = await play(await open_stage("full"), change)
    return _WHOLE[change]


@pytest.mark.parametrize(("memory", "change"), CELLS)
async def test_without_checkpoints_everything_is_processed_again(
    open_stage: OpenStage, memory: Memory, change: Change
) -> None:
    whole = await kept_by_a_whole_cache(open_stage, change)
    stage = await open_stage(memory, checkpoints=0)
    exchange = await play(stage, change)
    assert exchange.prompt == whole.prompt
    assert whole.cached_tokens > 2000
    assert exchange.cached_tokens == 0
    assert await stage.cause(-1 % len(stage.records), appended=False) == "SRV002"
    verdict = stage.records[-1].verdict
    assert verdict is not None
    assert (verdict.blame, verdict.causes[0]) == ("server", "SRV002"), verdict


@pytest.mark.parametrize(("memory", "change"), CELLS)
async def test_a_checkpoint_in_front_of_a_user_turn_saves_nearly_all_of_it(
    open_stage: OpenStage, memory: Memory, change: Change
) -> None:
    whole = await kept_by_a_whole_cache(open_stage, change)
    stage = await open_stage(memory)
    exchange = await play(stage, change)
    assert exchange.prompt == whole.prompt
    assert whole.cached_tokens - 60 < exchange.cached_tokens <= whole.cached_tokens


@pytest.mark.parametrize("change", CHANGES)
async def test_all_of_a_windows_cache_can_be_cut_anywhere(open_stage: OpenStage, change: Change) -> None:
    whole = await kept_by_a_whole_cache(open_stage, change)
    exchange = await play(await open_stage("swa", swa_full=True, checkpoints=0), change)
    assert exchange.cached_tokens == whole.cached_tokens


@pytest.mark.parametrize("memory", ["full", "swa", "hybrid", "recurrent"])
async def test_too_few_checkpoints_for_the_way_back(open_stage: OpenStage, memory: Memory) -> None:
    """An agent's turn makes two or three: with as many as that only its newest turn can be gone back on."""
    stage = await open_stage(memory, checkpoints=3)
    exchange = await play(stage, prune)
    if memory == "full":
        assert exchange.cached_tokens > 2000
        return
    assert exchange.cached_tokens == 0
    assert await stage.cause(-1 % len(stage.records), appended=False) == "SRV002"


@pytest.mark.parametrize(("memory", "processed"), [("full", 1), ("swa", 1), ("hybrid", 4), ("recurrent", 4)])
async def test_the_same_request_once_more(open_stage: OpenStage, memory: Memory, processed: int) -> None:
    stage = await open_stage(memory)
    visitor = Visitor(stage, "again")
    await visitor.say("Turn 0")
    await visitor.say("Turn 1")
    assert (await visitor.again()).prefilled_tokens <= processed
    assert await stage.server.engine_prompt_tokens() > 0


@pytest.mark.parametrize("memory", ["full", "swa", "hybrid", "recurrent"])
async def test_a_new_conversation_with_the_same_head(open_stage: OpenStage, memory: Memory) -> None:
    """Its head could be shared with what is in the slot; where that cannot be cut, only by a checkpoint behind it."""
    stage = await open_stage(memory, slots=1)
    first = Visitor(stage, "twin", turn=300)
    await first.say("Turn 0")
    left = await first.say("Turn 1")
    second = Visitor(stage, "twin", turn=300, session="another")
    exchange = await second.say("Something else")
    # Less than half of what can be cut stays in the slot for it, else the gateway clears it: the first one's is saved.
    if memory == "full":
        assert 0.4 < exchange.cached_tokens / left.held_tokens < 0.5
    else:
        assert exchange.cached_tokens < 20
    assert (await first.say("Turn 2")).cached_tokens > 2000
