"""A request of which the beginning is known is read behind it: what goes upstream, and the record, are the same."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from keepwarm.codec import lead
from keepwarm.session.leads import Leads
from keepwarm.testing.scenarios.injection import Shape
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.simulation import Simulation
from keepwarm.testing.scenarios.table import INJECTIONS


class Forgetful(Leads):
    """Expects nothing."""

    def learn(self, lead: lead.Lead, old: lead.Lead | None = None) -> None:
        """Nothing is learnt."""


def told(scenario: Scenario, setting: Setting, leads: Leads) -> tuple[Any, int]:
    """(all that went out and all that is on record, how many requests were read behind a lead)."""
    play = Simulation(scenario, setting)
    play.keeper.leads = leads
    for ask in play.client.plan.asks:
        play.send(ask)
    played = play.played()
    rows = [(one.exchange.body, one.record.usage, one.record.edits, one.record.verdict) for one in played.steps]
    parsed = [life.story.parsed for life in play.lives]
    return rows, sum(one is not None and bool(one.everything.wires) for one in parsed)


@pytest.mark.parametrize("shape", get_args(Shape))
@pytest.mark.parametrize("name", [*INJECTIONS, "HIS001-moved HIS003-rewritten", "VOL002-moving HIS006-marks"])
def test_it_makes_no_difference_how_much_is_read(name: str, shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(one for one in name.split() if one in INJECTIONS)
    if not all(shape in INJECTIONS[one].shapes for one in names):
        names = ()
    monkeypatch.setattr(lead, "LEAST_BYTES", 0)
    for mends in (True, False):
        scenario = Scenario(names, 3, shape=shape)
        whole, none = told(scenario, Setting(mends=mends), Forgetful())
        behind, some = told(scenario, Setting(mends=mends), Leads())
        assert behind == whole
        assert none == 0
        assert some or shape == "chat"  # where the system prompt is the first message, each may begin otherwise
