"""What a scenario is played on: the same scenario on a stand-in for vLLM, where blocks count."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.testing.scenarios.play import play
from keepwarm.testing.scenarios.played import Setting
from keepwarm.testing.scenarios.scenario import Scenario
from keepwarm.testing.scenarios.stands import VLLM
from keepwarm.testing.scenarios.verdicts import faults
from tests.testing.vllm_stub import BLOCK, vllm_stub


@pytest.mark.parametrize("shape", ["messages", "chat"])
@pytest.mark.parametrize("name", ["clean", "ORD001-each"])
async def test_a_conversation_on_blocks_costs_its_ideal(name: str, shape: str, tmp_path: Path) -> None:
    scenario = Scenario((name,), 81, 4, shape="chat" if shape == "chat" else "messages")
    async with vllm_stub() as stub:
        played = await play(scenario, Setting(), [stub.url], tmp_path / "ledger.sqlite", VLLM)
    assert faults(played) == []
    assert played.block == BLOCK
    for step in played.steps[1:]:
        held = step.exchange.prompt_tokens - step.ideal
        assert held % BLOCK == 0
        assert held > 0


async def test_two_replicas_are_two_caches_in_one_vllm(tmp_path: Path) -> None:
    async with vllm_stub() as stub:
        scenario = Scenario(("SEA002-replicas",), 82, 4)
        played = await play(scenario, Setting(mends=False), [stub.url] * 2, tmp_path / "ledger.sqlite", VLLM)
    assert played.faults == ()
    assert [step.exchange.cached_tokens > 0 for step in played.steps] == [False, False, True, True]
