"""Parallel results: in the order of their calls, each with its own words."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import ToolResult, Turn
from keepwarm.rules.his004 import reorder
from tests.rules.turns import CALL_IDS, Recalled, asked_turns

CALLED = Recalled(Answer(calls=tuple(Call(name, "", "Bash", "{}") for name in CALL_IDS)))


def results(turn: Turn) -> list[ToolResult]:
    return [block for block in turn.blocks() if isinstance(block, ToolResult)]


@given(asked_turns)
def test_each_result_goes_up_once_and_a_second_time_nothing_changes(turn: Turn) -> None:
    fix = reorder(turn, CALLED)
    order = [CALL_IDS.index(result.id) for result in results(fix.value)]
    assert order == sorted(order)
    assert sorted(map(repr, results(fix.value))) == sorted(map(repr, results(turn)))
    assert bool(fix.edits) == (results(fix.value) != results(turn))
    assert reorder(fix.value, CALLED).value == fix.value
    assert reorder(fix.value, CALLED).edits == ()


@given(asked_turns)
def test_all_else_stays_in_its_place(turn: Turn) -> None:
    after = reorder(turn, CALLED).value
    for one, other in zip(turn.blocks(), after.blocks(), strict=True):
        assert one == other or (isinstance(one, ToolResult) and isinstance(other, ToolResult))


@given(asked_turns)
def test_results_of_unknown_calls_are_left_as_they_are(turn: Turn) -> None:
    assert reorder(turn, Recalled(Answer())).value is turn
