"""A demo's result made up of round figures, for the tests of what is shown."""

from __future__ import annotations

from keepwarm.testing.agent_script import Kind
from keepwarm.testing.demo_play import DemoResult, SideResult, TurnCost, append_only_tokens


def turn(number: int, kind: Kind, prompt: int, prefilled: int, held: int, *, again: bool = False) -> TurnCost:
    """A request's cost with round times."""
    return TurnCost(number, kind, prompt, prefilled, held, prefilled * 2.0, prefilled / 100, again)


def side(name: str, *turns: TurnCost) -> SideResult:
    """A side with round memory."""
    mib = 1 << 20
    return SideResult(name, turns, 100 * mib, 120 * mib, 150 * mib, 9.0, True)


def made_up() -> DemoResult:
    """Three turns of the agent and one of its sub-agent."""
    straight = side(
        "straight",
        turn(1, "main", 1000, 1000, 1050, again=True),
        turn(2, "agent", 300, 300, 320, again=True),
        turn(3, "main", 1200, 1190, 1230, again=True),
        turn(4, "main", 1300, 1290, 1320, again=True),
    )
    warm = side(
        "keepwarm",
        turn(1, "main", 1000, 1000, 1050, again=True),
        turn(2, "agent", 300, 300, 320, again=True),
        turn(3, "main", 1200, 150, 1230),
        turn(4, "main", 1300, 70, 1320),
    )
    return DemoResult("a model", 4, 4, append_only_tokens(warm.turns), straight, warm)
