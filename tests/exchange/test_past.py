"""An older request is made again from what stands: the server would make the same prompt of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from keepwarm.exchange.past import past, past_head
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.simulation import Simulation
from keepwarm.testing.scenarios.table import INJECTIONS

Json = dict[str, Any]
PLAYABLE = [
    (name, shape)
    for name, one in INJECTIONS.items()
    for shape in one.shapes
    if one.server not in ("models", "replicas")
]
BESIDES = ("id_slot", "metadata")
"""Members of a body that no prompt is made of, and that are the newer request's."""


def lived(name: str, shape: Any, *, mends: bool) -> Simulation:
    simulation = Simulation(Scenario((name,), shape=shape), Setting(mends=mends))
    for ask in simulation.client.plan.asks:
        simulation.send(ask)
    return simulation


def prompt(body: bytes) -> Json:
    return {name: value for name, value in json.loads(body).items() if name not in BESIDES}


@pytest.mark.parametrize("mends", [True, False], ids=["mended", "observed"])
@pytest.mark.parametrize(("name", "shape"), PLAYABLE)
def test_it_is_what_went(name: str, shape: Any, mends: bool) -> None:
    """In all scenarios: translated, edited in place, and passed through byte for byte."""
    simulation = lived(name, shape, mends=mends)
    numbers = {life.story.call.id: number for number, life in enumerate(simulation.lives)}
    compared = 0
    for life in simulation.lives:
        stable = life.story.stable
        assert stable is not None
        if stable.before is None:
            continue
        dialect = simulation.keeper.terms(life.story.front).dialect
        again = past(dialect, replace(stable.draft, untouched=not mends), stable.before)
        assert again is not None
        went = simulation.server.exchanges[numbers[stable.before.record]].body
        assert prompt(again.body) == prompt(went)
        assert "id_slot" not in json.loads(again.body)
        compared += 1
    assert compared


@pytest.mark.parametrize("shape", ["messages", "chat"])
def test_its_head_alone_has_one_message_that_nobody_sent(shape: Any) -> None:
    simulation = lived("clean", shape, mends=shape == "messages")
    stable = simulation.lives[-1].story.stable
    assert stable is not None
    assert stable.before is not None
    dialect = simulation.keeper.terms(simulation.lives[-1].story.front).dialect
    body = json.loads(past_head(dialect, stable.draft, stable.before).body)
    went = json.loads(simulation.server.exchanges[-2].body)
    assert body["tools"] == went["tools"]
    assert body["messages"] == [went["messages"][0], {"role": "user", "content": "~"}]


def test_what_is_not_there_any_more_is_not_made_up() -> None:
    simulation = lived("clean", "messages", mends=False)
    stable = simulation.lives[-1].story.stable
    assert stable is not None
    assert stable.before is not None
    steps = stable.before.trail.steps
    bare = replace(steps[0], turn=replace(steps[0].turn, raw=b""))
    trail = replace(stable.before.trail, steps=(bare, *steps[1:]))
    dialect = simulation.keeper.terms("anthropic").dialect
    assert past(dialect, stable.draft, replace(stable.before, trail=trail)) is None
