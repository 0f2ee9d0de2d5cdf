"""The demo's figures are the engine's own, joined with what the client saw."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.engine.options import EngineOptions
from keepwarm.testing.agent_script import SessionSize, plan_session, request_count
from keepwarm.testing.demo import open_gateway
from keepwarm.testing.demo_play import append_only_tokens, measure, spare_threads
from keepwarm.testing.templates import template_text
from tests.testing.demo_figures import made_up, turn

SMALL = SessionSize(8, 0, 60, 10, 10, 6, 4)


@pytest.fixture
def tiny_options(model: Path) -> EngineOptions:
    """A quick engine with room for a small session. One thread: two would wait for each other on a busy machine."""
    return EngineOptions(model=model, context=4 * 8192, slots=4, threads=1, chat_template=template_text("qwen_like"))


def test_the_ideal_counts_each_token_of_a_conversation_once() -> None:
    assert made_up().ideal_tokens == 1000 + 300 + (1200 - 1050) + (1300 - 1230)
    assert append_only_tokens([turn(1, "main", 500, 500, 510)]) == 500


async def test_both_sides_are_measured_on_a_real_engine(tiny_options: EngineOptions) -> None:
    plan = plan_session(3, SMALL)
    heard: list[tuple[str, int]] = []
    result = await measure(
        tiny_options, plan, open_gateway, model="tiny", progress=lambda name, n: heard.append((name, n))
    )
    total = request_count(plan)
    assert heard == [(name, n) for name in ("keepwarm", "straight") for n in range(total + 1)]
    assert result.requests == result.compared == total
    straight = [turn for turn in result.straight.turns if turn.kind == "main"]
    warm = [turn for turn in result.keepwarm.turns if turn.kind == "main"]
    assert [turn.head_again for turn in straight] == [True] * 15
    assert [turn.head_again for turn in warm] == [True] + [False] * 14
    assert sum(turn.prefilled_tokens for turn in result.keepwarm.turns) <= 1.02 * result.ideal_tokens
    assert all(turn.prompt_ms > 0 and turn.first_token_s > 0 for turn in result.keepwarm.turns)
    assert result.keepwarm.memory_before > 0


async def test_a_straight_side_without_time_is_compared_as_far_as_it_came(tiny_options: EngineOptions) -> None:
    result = await measure(tiny_options, plan_session(3, SMALL), open_gateway, model="tiny", until=0.0)
    assert [turn.kind for turn in result.straight.turns] == ["title", "main"]
    assert [turn.number for turn in result.keepwarm.turns] == [1, 2]
    assert not result.straight.complete
    assert result.compared == 2


@pytest.mark.parametrize(("busy", "threads"), [(0.0, None), (10.0, None), (50.0, 1), (100.0, 1)])
def test_a_busy_machine_gets_an_engine_with_fewer_threads(
    busy: float, threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.cpu_count", lambda: 2)
    monkeypatch.setattr("psutil.cpu_percent", lambda interval: busy)
    assert spare_threads() == threads
