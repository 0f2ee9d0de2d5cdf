"""What a person is told of, and that it is told once."""

from __future__ import annotations

from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.sums import Sums
from keepwarm.views.alerts import REMEMBERED, Alert, News, State, alerts
from tests.ledger.samples import a_record


def sums(percent: int, *, lost: int = 500, requests: int = 9) -> Sums:
    return Sums(requests=requests, cached_tokens=percent * 10, processed_tokens=1000 - percent * 10, lost_tokens=lost)


def told(state: State, record: Record, session: Sums) -> tuple[State, list[Alert]]:
    state, found = alerts([News(record, session)], state)
    return state, list(found)


def test_a_session_falls_below_each_level_once() -> None:
    state, levels = State(), []
    for percent in (90, 79, 75, 61, 59, 41, 39, 10, 55):
        state, found = told(state, a_record(), sums(percent))
        levels += [(percent, alert.level) for alert in found]
    assert levels == [(79, 0.8), (59, 0.6), (39, 0.4)]


def test_a_session_that_falls_far_is_told_of_once() -> None:
    _, found = told(State(), a_record(), sums(30))
    assert [alert.level for alert in found] == [0.4]


def test_a_session_that_came_back_may_fall_again() -> None:
    state, _ = told(State(), a_record(), sums(70))
    state, found = told(state, a_record(), sums(82))
    assert not found
    _, found = told(state, a_record(), sums(70))
    assert [alert.level for alert in found] == [0.8]


def test_sessions_are_told_apart_and_those_without_a_name_by_conversation() -> None:
    state, _ = told(State(), a_record(session="s1"), sums(70))
    state, found = told(state, a_record(session="s2"), sums(70))
    assert found
    state, found = told(state, a_record(session="", lineage="l1"), sums(70))
    assert found[0].session == "l1"
    _, found = told(state, a_record(session="", lineage=""), sums(70))
    assert not found, "it belongs to nobody"


def test_a_session_that_has_just_begun_or_has_lost_nothing_is_no_news() -> None:
    assert not told(State(), a_record(), sums(10, requests=4))[1]
    assert not told(State(), a_record(), sums(10, lost=0))[1]
    assert not told(State(), a_record(), Sums(requests=9, lost_tokens=5))[1], "nothing was reported"


def test_a_cause_is_told_of_when_it_is_seen_first() -> None:
    lost = a_record(id="r7", verdict=Verdict("miss", "client", "counted", lost=900, causes=("VOL001", "HIS005")))
    state, found = told(State(frozenset({"HIS005"})), lost, sums(95))
    assert [(alert.kind, alert.cause, alert.request) for alert in found] == [("cause", "VOL001", "r7")]
    assert "keepwarm rule VOL001" in found[0].words
    assert "900 tokens" in found[0].words
    assert not told(state, lost, sums(95))[1]


def test_a_cause_that_cost_nothing_is_no_news() -> None:
    cheap = a_record(verdict=Verdict("hit", "client", "counted", lost=0, causes=("VOL001",)))
    assert not told(State(), cheap, sums(95))[1]


def test_words_of_a_client_are_cleaned_and_say_what_to_do() -> None:
    _, found = told(State(), a_record(id="r\n1", session="\x1b[31mred"), sums(70))
    assert "\x1b" not in found[0].words
    assert "\n" not in found[0].words
    assert "keepwarm explain r 1" in found[0].words
    assert "70.0%" in found[0].words


def test_what_is_remembered_is_bounded() -> None:
    state = State()
    for number in range(REMEMBERED + 50):
        state, _ = told(state, a_record(session=f"s{number}"), sums(70))
    assert len(state.levels) == REMEMBERED
    assert state.levels[-1][0] == f"s{REMEMBERED + 49}"
