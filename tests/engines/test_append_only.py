"""What only appends costs each token once, on every kind of memory, with and without checkpoints."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.scripted import Exchange
from keepwarm.testing.tiny_shapes import SHAPES, Memory
from tests.engines.conftest import OpenStage
from tests.engines.stage import Stage, Visitor

LIMIT = 1.02


def again(row: list[Exchange]) -> list[int]:
    """For each turn but the first: tokens processed that the turn before had left in the slot."""
    return [after.prefilled_tokens - (after.prompt_tokens - before.held_tokens) for before, after in pairwise(row)]


def ideal(stage: Stage, *names: str) -> int:
    """Each token of the conversations once."""
    total = 0
    for name in names:
        row = stage.exchanges(name)
        total += row[0].prompt_tokens
        total += sum(after.prompt_tokens - before.held_tokens for before, after in pairwise(row))
    return total


@pytest.mark.parametrize("checkpoints", [None, 0])
@pytest.mark.parametrize("memory", SHAPES)
async def test_one_conversation(open_stage: OpenStage, memory: Memory, checkpoints: int | None) -> None:
    stage = await open_stage(memory, checkpoints=checkpoints)
    visitor = Visitor(stage, "alone")
    for turn in range(4):
        await visitor.say(f"Turn {turn}")
    assert again(stage.exchanges("alone")) == [0, 0, 0]
    assert await stage.cost() == ideal(stage, "alone")
    assert [record.verdict.blame for record in stage.records if record.verdict] == ["nobody"] * 4
    traits = await stage.gateway.upstream.traits()
    assert traits is not None
    assert traits.memory == memory


@pytest.mark.parametrize(
    ("memory", "options"),
    [
        ("full", {}),
        ("hybrid", {}),
        ("recurrent", {}),
        ("hybrid", {"checkpoints": 0}),
        ("swa", {"swa_full": True}),
    ],
)
async def test_two_conversations_in_one_slot(open_stage: OpenStage, memory: Memory, options: dict[str, Any]) -> None:
    stage = await open_stage(memory, slots=1, **options)
    talks = [Visitor(stage, name) for name in ("one", "two")]
    for turn in range(4):
        for talk in talks:
            await talk.say(f"Turn {turn}")
    for talk in talks:
        assert again(stage.exchanges(talk.name)) == [0, 0, 0]
    # What a hand-over itself costs: one token, or the first dozen of a new prompt, which are then read once more where
    # a state cannot be cut.
    assert 0 <= await stage.cost() - ideal(stage, "one", "two") <= 6 + 2 * 13


async def test_a_sliding_window_loses_its_last_answer_with_its_slot(open_stage: OpenStage) -> None:
    stage = await open_stage("swa", slots=1)
    stage.server.script = lambda _: Answer("step by step, " * 15)
    talks = [Visitor(stage, name) for name in ("one", "two")]
    for turn in range(3):
        for talk in talks:
            await talk.say(f"Turn {turn}")
    for talk in talks:
        row = stage.exchanges(talk.name)
        for before, lost in zip(row, again(row), strict=False):
            answer = before.held_tokens - before.prompt_tokens
            assert answer < lost <= answer + 5
    assert await stage.cost() > LIMIT * ideal(stage, "one", "two")
    for place in range(2, 6):
        assert await stage.cause(place, appended=True) == "SRV002"


async def test_a_sliding_window_without_checkpoints_loses_all_of_it(open_stage: OpenStage) -> None:
    stage = await open_stage("swa", slots=1, checkpoints=0)
    talks = [Visitor(stage, name) for name in ("one", "two")]
    for turn in range(2):
        for talk in talks:
            await talk.say(f"Turn {turn}")
    assert [talk.cached_tokens for name in ("one", "two") for talk in stage.exchanges(name)[1:]] == [0, 0]
