"""Scenarios against a simulated cache: no finding where nothing is wrong, whatever the conversation."""

from __future__ import annotations

import random

import pytest

from keepwarm.testing.scenarios.plan import Size
from keepwarm.testing.scenarios.played import Played, Setting
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.simulation import PerfectServer, rendered, simulate
from keepwarm.testing.scenarios.table import INJECTIONS
from keepwarm.testing.scenarios.verdicts import faults
from keepwarm.upstream.api import Outgoing
from keepwarm.wire.fronts import FRONTS

SHAPES = [shape for shape in ("messages", "chat") if shape == "messages" or shape in FRONTS]
CLEAN = [name for name, injection in INJECTIONS.items() if not injection.code]
SESSIONS = 200


def clean_session(number: int) -> tuple[Scenario, Setting]:
    """A conversation of any size and shape in which the client changes nothing that a model reads."""
    dice = random.Random(f"clean {number}")
    shape = dice.choice(SHAPES)
    mends = dice.random() < 0.5
    names = [name for name in CLEAN if shape in INJECTIONS[name].shapes and (mends or INJECTIONS[name].observed)]
    courses = [name for name in names if INJECTIONS[name].course is not None]
    habits = [name for name in names if INJECTIONS[name].course is None]
    chosen = [dice.choice(habits), *([dice.choice(courses)] if dice.random() < 0.6 else [])]
    size = Size(
        system=dice.randrange(200, 6000),
        tools=dice.randrange(6, 20),
        said=dice.randrange(60, 800),
        result=dice.randrange(60, 3000),
        thinking=dice.randrange(40, 600),
    )
    turns, known, thinks = dice.randrange(4, 16), dice.random() < 0.7, dice.random() < 0.7
    return Scenario(tuple(chosen), number, turns, shape, known, thinks, size), Setting(mends=mends)


@pytest.mark.parametrize("decade", range(0, SESSIONS, 20))
def test_two_hundred_clean_sessions_have_no_finding(decade: int) -> None:
    for number in range(decade, decade + 20):
        scenario, setting = clean_session(number)
        found = faults(simulate(scenario, setting))
        assert found == [], (scenario, setting)


def test_clean_sessions_are_of_every_kind() -> None:
    sessions = [clean_session(number) for number in range(SESSIONS)]
    assert {name for scenario, _ in sessions for name in scenario.injections} == set(CLEAN)
    assert {setting.mends for _, setting in sessions} == {True, False}
    assert {scenario.shape for scenario, _ in sessions} == set(SHAPES)


def costs(played: Played) -> list[int]:
    return [step.exchange.prefilled_tokens for step in played.steps]


def test_a_header_that_changes_costs_everything_when_observed_and_nothing_when_mended() -> None:
    mended = simulate(Scenario(("VOL001-each",)))
    observed = simulate(Scenario(("VOL001-each",)), Setting(mends=False))
    assert max(costs(mended)[1:]) < 600
    assert all(
        cost > 0.9 * step.exchange.prompt_tokens for cost, step in zip(costs(observed), observed.steps, strict=True)
    )


def test_a_perfect_server_has_all_that_it_ever_read() -> None:
    client = Client(Scenario())
    first, second = client.requests()[:2]
    server = PerfectServer(client)
    for request in (first, second, first):
        server.answer(Outgoing("/v1/messages", request.body))
    cached = [exchange.cached_tokens for exchange in server.exchanges]
    assert cached[0] == 0
    # The answer stands between the two with ids of its own, which no prompt shows.
    assert cached[1] == server.exchanges[0].held_tokens
    assert cached[2] == server.exchanges[0].prompt_tokens - 1


def test_a_prompt_holds_every_word() -> None:
    chat = {
        "tools": [{"name": "Bash"}],
        "messages": [
            {"role": "system", "content": "careful"},
            {"role": "user", "content": [{"type": "text", "text": "look"}]},
            {"role": "assistant", "content": "I look", "reasoning_content": "hm",
             "tool_calls": [{"function": {"name": "Bash", "arguments": '{"b":1}'}}]},
            {"role": "tool", "content": "one"},
        ],
    }  # fmt: skip
    assert rendered(chat) == (
        '<system>careful\n<tool>{"name": "Bash"}\n<user>look</user>\n'
        '<assistant><think>hm</think>I look<call>Bash {"b": 1}</call></assistant>\n<tool>one</tool>\n<assistant>'
    )
