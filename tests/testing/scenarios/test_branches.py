"""Plans that do not go straight on."""

from __future__ import annotations

from keepwarm.testing.scenarios import branches
from keepwarm.testing.scenarios.injection import Course
from keepwarm.testing.scenarios.plan import Plan, Planner, Size
from keepwarm.testing.scenarios.view import Image


def planned(course: Course, turns: int = 8) -> Plan:
    planner = Planner(1, "some", Size(), thinking=True)
    course(planner, turns)
    return planner.plan()


def test_a_rewind_goes_on_from_an_earlier_request() -> None:
    plan = planned(branches.rewind)
    assert [ask.after for ask in plan.asks] == [None, 0, 1, 2, 1, 4, 5, 6]


def test_a_fork_is_another_session_with_the_same_history() -> None:
    plan = planned(branches.fork)
    forked = [ask for ask in plan.asks if ask.session == "two"]
    assert forked[0].after == 3
    assert plan.history(forked[0].number)[:-1] == plan.answered(3)
    assert {ask.talk for ask in forked} == {"branch"}


def test_the_gateway_is_started_anew_once() -> None:
    assert [ask.restart for ask in planned(branches.resume).asks] == [False] * 4 + [True] + [False] * 3


def test_helpers_have_the_same_head_and_names_of_their_own() -> None:
    plan = planned(branches.helpers)
    assert {ask.agent for ask in plan.asks} == {"", "agent0", "agent1"}
    assert all(plan.view(ask.number).system == plan.system for ask in plan.asks)
    talks = [ask.talk for ask in plan.asks]
    assert talks[2:7] == ["helper0", "helper1", "helper0", "helper1", "main"]


def test_titles_are_asked_between() -> None:
    plan = planned(branches.titles)
    assert [ask.number for ask in plan.asks if ask.head == "title"] == [1, 5, 9]
    assert plan.asks[2].after == plan.asks[2].before == 0


def test_a_compaction_begins_anew_with_the_summary() -> None:
    plan = planned(branches.compaction)
    first = plan.asks[5]
    assert (first.after, first.before) == (None, 4)
    assert plan.asks[4].answer.text in str(first.said[0])
    assert "Sum up" in str(plan.asks[4].said[0])
    assert plan.asks[-1].after == len(plan.asks) - 2


def test_an_answer_is_cut_and_the_user_goes_on() -> None:
    plan = planned(branches.interrupted)
    (cut,) = [ask for ask in plan.asks if ask.cut]
    assert plan.asks[cut.number + 1].after == cut.number
    assert 300 < len(str(plan.answered(cut.number)[-1])) < 500


def test_pictures_are_shown() -> None:
    plan = planned(branches.pictures)
    shown = [ask.number for ask in plan.asks for part in ask.said[0].parts if isinstance(part, Image)]
    assert shown[0] == 0
    assert len(shown) >= 2


def test_one_answer_is_generated_in_pieces() -> None:
    assert [ask.answer.in_pieces for ask in planned(branches.retokenised).asks] == [False] * 3 + [True] + [False] * 4
