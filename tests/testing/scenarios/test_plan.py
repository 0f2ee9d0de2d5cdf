"""The plan: a tree of requests, the same for the same seed."""

from __future__ import annotations

import json

import pytest

from keepwarm.testing.answers import Answer
from keepwarm.testing.scenarios.plan import Plan, Planner, PlanScript, Size, number_of, reply
from keepwarm.testing.scenarios.view import Call, Result, Text, Thinking


def planner(seed: int = 1, name: str = "some", size: Size = Size(), thinking: bool = True) -> Planner:  # noqa: B008
    return Planner(seed, name, size, thinking=thinking)


def straight(turns: int, seed: int = 1, name: str = "some") -> Plan:
    made = planner(seed, name)
    made.go_on("main", None, turns)
    return made.plan()


def test_the_same_seed_plans_the_same_and_another_name_something_else() -> None:
    assert straight(7) == straight(7)
    assert straight(7) != straight(7, seed=2)
    one, other = straight(7), straight(7, name="other")
    assert one.asks[0].said != other.asks[0].said
    assert one.tools != other.tools


def test_a_conversation_calls_tools_and_gives_their_results() -> None:
    plan = straight(4)
    history = plan.history(3)
    assert [message.role for message in history] == ["user", "assistant"] * 3 + ["user"]
    calls = [part for part in history[1].parts if isinstance(part, Call)]
    results = [part for part in history[2].parts if isinstance(part, Result)]
    assert [call.tag for call in calls] == [result.call for result in results] == ["a0.0", "a0.1"]
    assert isinstance(history[1].parts[0], Thinking)
    assert isinstance(history[6].parts[0], Text)
    assert all(len(json.loads(call.arguments)) >= 3 for call in calls)


def test_sizes_are_kept_to() -> None:
    size = Size(system=3000, tools=12, tool=300, said=500, result=2000, thinking=400)
    made = planner(size=size)
    made.go_on("main", None, 2)
    plan = made.plan()
    assert len(plan.tools) == 12
    assert 3000 <= len(plan.system[1].text) < 3300
    result = plan.asks[1].said[0].parts[0]
    assert isinstance(result, Result)
    assert 2000 <= len(result.text) < 2300


def test_no_reasoning_where_none_is_wanted() -> None:
    made = planner(thinking=False)
    made.go_on("main", None, 6)
    assert not any(ask.answer.thinking for ask in made.plan().asks)


def test_a_request_goes_on_from_its_own_branch() -> None:
    made = planner()
    made.go_on("main", None, 3)
    made.go_on("main", 0, 1)
    plan = made.plan()
    assert plan.asks[3].after == plan.asks[3].before == 0
    assert plan.history(3)[:2] == plan.answered(0)
    assert plan.place_in_talk(3) == (3, 4)


def test_a_title_has_no_tools_and_an_instruction_more() -> None:
    made = planner()
    made.ask("title", None, [made.typed(0)], Answer("Hours"), head="title")
    made.go_on("main", None, 1)
    plan = made.plan()
    assert plan.view(0).tools == ()
    assert plan.view(0).system[: len(plan.system)] == plan.view(1).system


def test_the_script_answers_by_the_newest_mark() -> None:
    plan = straight(3)
    body = {
        "messages": [
            {"role": "system", "content": "[step 9]"},
            {"role": "user", "content": "go on [step 1]"},
            {"role": "assistant", "content": "[step 5]"},
            {"role": "tool", "content": [{"type": "text", "text": "out\n[step 2]"}]},
            {"role": "user", "content": "<system-reminder>\nnothing\n</system-reminder>"},
        ]
    }
    assert number_of(body) == 2
    assert PlanScript(plan)(body) == plan.asks[2].answer
    with pytest.raises(LookupError):
        number_of({"messages": [{"role": "user", "content": "hi"}]})


def test_of_a_cut_answer_the_client_has_the_words_that_came() -> None:
    made = planner()
    made.ask("main", None, [made.typed(0)], Answer("abcdefghijkl" * 10), cut=2)
    (part,) = reply(made.plan().asks[0]).parts
    assert part == Text("abcdefghijkl" * 4, "a0.cut")


def test_there_must_be_something_to_go_on_from() -> None:
    with pytest.raises(ValueError, match="nothing"):
        planner().go_on("main", None, 0)
