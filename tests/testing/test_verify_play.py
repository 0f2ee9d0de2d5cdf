"""The experiment on the real engine: what each arm processed, and what its prompts held. No time is asserted."""

from __future__ import annotations

import json

import pytest

from keepwarm.checks.memory import GIB, Reading
from keepwarm.checks.trial import ARMS, Arm, Sample
from keepwarm.testing.demo import open_gateway
from keepwarm.testing.tap import Tap
from keepwarm.testing.verify_play import Endpoint, Played, Setting, counted, measure_rate, play_trial
from keepwarm.testing.verify_session import Style
from tests.testing.conftest import EngineFor


async def played(
    engine_for: EngineFor, endpoint: Endpoint = "chat", style: Style = "2.1.114", rounds: int = 2
) -> Played:
    """A trial on the tiny model."""
    engine = engine_for(slots=4, context=65_536, show_prompts=True)
    ended: list[int] = []
    async with Tap(engine.url) as tap, open_gateway(tap.url) as gateway:
        setting = Setting(rounds, 3, 1500, endpoint, style, "tiny")
        result = await play_trial(setting, tap, gateway, engine.url, engine.pid, lambda: ended.append(1))
    assert len(ended) == 4 * rounds
    return result


def later(result: Played, arm: Arm) -> list[Sample]:
    """An arm's later requests."""
    return [one for one in result.samples if one.arm == arm and one.request > 1]


async def test_the_line_costs_the_cache_straight_and_not_through_keepwarm(engine_for: EngineFor) -> None:
    result = await played(engine_for)
    assert len(result.samples) == 4 * 2 * 3
    for arm in ARMS:
        rows = later(result, arm)
        assert len(rows) == 4
        assert {one.evidence for one in rows} == {"slots"}
        loses = arm == Arm("straight", True)
        for one in rows:
            assert one.prompt is not None
            assert one.processed is not None
            assert one.kept is not None
            assert one.with_line is loses
            if loses:
                assert one.processed > 0.9 * one.prompt
                assert one.kept < 0.1
            else:
                assert one.processed < 0.1 * one.prompt
                assert one.kept > 0.99


async def test_a_header_of_the_session_costs_its_later_requests_nothing(engine_for: EngineFor) -> None:
    result = await played(engine_for, style="2.1.328", rounds=1)
    for one in later(result, Arm("straight", True)):
        assert one.with_line
        assert one.processed is not None
        assert one.processed < 150


async def test_over_its_own_messages_api_the_server_masks_the_value(engine_for: EngineFor) -> None:
    result = await played(engine_for, endpoint="messages", rounds=1)
    for one in later(result, Arm("straight", True)):
        assert one.with_line
        assert one.processed is not None
        assert one.processed < 150


async def test_sessions_follow_each_other_and_memory_is_watched(engine_for: EngineFor) -> None:
    result = await played(engine_for, rounds=2)
    assert [span.arm for span in result.spans] == [*ARMS, *ARMS[1:], ARMS[0]]
    assert all(one.ended <= two.began for one, two in zip(result.spans, result.spans[1:], strict=False))
    assert result.memory
    assert result.memory_of == "the server's process"


async def test_no_session_finds_anothers_prompt(engine_for: EngineFor) -> None:
    result = await played(engine_for, rounds=1)
    for one in result.samples:
        if one.request == 1:
            assert one.cached is not None
            assert one.prompt is not None
            assert one.cached < 0.1 * one.prompt


async def test_a_server_that_shows_no_slots_is_read_by_its_template(engine_for: EngineFor) -> None:
    engine = engine_for(slots=3, show_slots=False)
    async with Tap(engine.url) as tap, open_gateway(tap.url) as gateway:
        assert await measure_rate(tap, "tiny") > 0
        assert tap.heard == []
        setting = Setting(1, 2, 600, "chat", "2.1.114", "tiny")
        result = await play_trial(setting, tap, gateway, engine.url, None, lambda: None)
        assert {one.evidence for one in result.samples} == {"template"}
        assert [one.with_line for one in result.samples] == [True, True] + [False] * 6
        assert json.loads(tap.heard[-1].body)["model"] == "tiny"


@pytest.mark.parametrize(
    ("readings", "told"),
    [
        ((), ("", 0)),
        ((Reading("process", "p", 5),), ("the server's process", 5)),
        ((Reading("nvidia", "a", 4 * GIB), Reading("process", "p", 5)), ("all that is used on the card", 4 * GIB)),
        ((Reading("nvidia", "a", 4, 9, 3), Reading("nvidia", "b", 4, 9, 2)), ("the server on the card", 5)),
    ],
)
def test_what_counts_as_the_servers_memory(readings: tuple[Reading, ...], told: tuple[str, int]) -> None:
    assert counted(readings) == told
