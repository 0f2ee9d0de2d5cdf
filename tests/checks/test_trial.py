"""What may be concluded from made-up samples, and when nothing may."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.checks.trial import (
    ARMS,
    AS_GOOD_AS_NONE,
    Arm,
    Comparison,
    Outcome,
    Sample,
    Trial,
    by_round,
    compare,
    conclude,
    exit_code,
    spread,
)

COLD = [6.0, 6.2, 5.8]


@pytest.mark.parametrize(
    ("on", "off", "outcome"),
    [
        ((6.0, 6.1, 5.9), (0.3, 0.4, 0.3), "costs"),
        ((3.0, 9.0, 5.0), (0.3, 2.9, 0.3), "costs"),  # noisy, and still apart
        ((3.0, 9.0, 5.0), (0.3, 3.1, 0.3), "unclear"),  # the ranges touch
        ((0.4, 0.5, 0.3), (0.4, 0.3, 0.4), "none"),
        ((0.9, 0.8, 0.9), (0.4, 0.5, 0.4), "none"),  # apart, but by less than a tenth of a cold prompt
        ((1.4, 1.3, 1.4), (0.4, 0.5, 0.4), "costs"),  # the last part of the prompt, each time
        ((2.0, 2.1, 2.0), (0.3, 0.4, 0.3), "costs"),
        ((0.3, 2.5, 0.3), (0.3, 0.4, 0.3), "unclear"),  # one round was slow
        ((0.3, 0.4, 0.3), (6.0, 6.1, 5.9), "helps"),
        ((6.0, 6.1), (0.3, 0.4), "unclear"),  # two rounds say nothing
        ((6.0,), (0.3,), "unclear"),
    ],
)
def test_the_criterion(on: tuple[float, ...], off: tuple[float, ...], outcome: Outcome) -> None:
    comparison = compare("straight", on, off, COLD)
    assert comparison.outcome == outcome
    assert exit_code([comparison]) == (3 if outcome == "unclear" else 0)
    assert "Straight at the server" in comparison.why
    assert ("nothing can be concluded" in comparison.why) == (outcome == "unclear")


TIMES = st.lists(st.floats(0.01, 10), min_size=3, max_size=6)


@given(TIMES, TIMES, TIMES)
def test_an_effect_is_never_claimed_across_ranges_that_touch(
    on: list[float], off: list[float], cold: list[float]
) -> None:
    outcome = compare("keepwarm", on, off, cold).outcome
    if outcome == "costs":
        assert min(on) > max(off)
    elif outcome == "helps":
        assert max(on) < min(off)
    elif outcome == "none":
        assert max(on) - min(off) < AS_GOOD_AS_NONE * spread(cold).median


def sample(arm: Arm, number: int, request: int, seconds: float) -> Sample:
    """A request that took so long."""
    return Sample(arm, number, request, seconds, 1000, 100)


def made_up(waits: dict[Arm, tuple[float, ...]]) -> Trial:
    """A trial of these later waits, by round; every first request takes 6 s."""
    samples = [
        one
        for arm, row in waits.items()
        for number, wait in enumerate(row, 1)
        for one in (sample(arm, number, 1, 6.0), sample(arm, number, 2, wait))
    ]
    return Trial(
        keepwarm="1", server="s", endpoint="chat", style="2.1.114", rounds=3, tokens=1000, samples=tuple(samples)
    )


def test_each_way_is_concluded_for_itself() -> None:
    on, *others = ARMS
    trial = made_up({on: (6.0, 6.0, 6.0), **dict.fromkeys(others, (0.3, 0.3, 0.3))})
    straight, warm = conclude(trial)
    assert (straight.way, straight.outcome, warm.way, warm.outcome) == ("straight", "costs", "keepwarm", "none")
    assert straight.cold == 6.0
    assert exit_code(conclude(trial)) == 0
    noisy = made_up({on: (6.0, 0.2, 6.0), **dict.fromkeys(others, (0.3, 0.3, 0.3))})
    assert [one.outcome for one in conclude(noisy)] == ["unclear", "none"]
    assert exit_code(conclude(noisy)) == 3


def test_a_round_gives_the_median_of_its_later_requests() -> None:
    arm = ARMS[0]
    rows = [sample(arm, 2, 2, 9.0), sample(arm, 1, 2, 1.0), sample(arm, 1, 3, 3.0), sample(arm, 1, 4, 2.0)]
    assert by_round(rows) == [2.0, 9.0]
    assert rows[0].processed == 900
    assert Sample(arm, 1, 1, 1.0).processed is None


def test_the_sentence_tells_the_factor() -> None:
    comparison: Comparison = compare("straight", (6.0, 6.0, 6.0), (0.5, 0.5, 0.5), COLD)
    assert "12.0 times as long" in comparison.why
