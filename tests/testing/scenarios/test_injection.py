"""The moment an injection is asked at."""

from __future__ import annotations

from keepwarm.testing.scenarios.injection import Injection, Moment
from keepwarm.testing.scenarios.plan import Planner, Size


def moment(step: int, of: int = 8) -> Moment:
    planner = Planner(1, "some", Size(), thinking=False)
    planner.go_on("main", None, of)
    return Moment(planner.asks[step], step, of, "1 some")


def test_what_changes_once_changes_in_the_middle() -> None:
    assert [moment(step).changed for step in range(8)] == [False] * 4 + [True] * 4
    assert moment(0, of=3).middle == 2


def test_dice_are_a_requests_own_or_shared_by_a_salt() -> None:
    assert moment(1).dice().random() == moment(1).dice().random() != moment(2).dice().random()
    assert moment(1).dice("x").random() == moment(2).dice("x").random()


def test_an_injection_is_clean_unless_it_says_otherwise() -> None:
    assert Injection("clean-some", "some").code == ""
