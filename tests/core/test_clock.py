"""Dates and times, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.clock import MASK, masked, spans, without_figures

CLOCKS = (
    "2026-11-24",
    "2026-11-24T06:00:31.123Z",
    "2026/11/24",
    "11/24/2026",
    "24.11.2026",
    "Tuesday, November 24, 2026",
    "Tue Nov 24 2026",
    "24 November 2026",
    "2026年11月24日",
    "2026년 2월 16일",
    "06:00:31 PM",
    "18:00",
    "1764000000",
    "Wednesday",
)


@pytest.mark.parametrize("clock", CLOCKS)
def test_each_is_one_sign_and_its_place_is_known(clock: str) -> None:
    text = f"It is {clock} now, be brief."
    assert masked(text).replace(f"{MASK} {MASK}", MASK) == f"It is {MASK} now, be brief."
    assert spans(text)[0][0] == len("It is ")


@pytest.mark.parametrize("words", ["version 1.2.3", "may 5 tests", "10 files", "a:b", "port 8080", "20261124", "sunny"])
def test_other_figures_are_left(words: str) -> None:
    assert masked(words) == words
    assert spans(words) == []


@given(st.sampled_from(CLOCKS), st.sampled_from(CLOCKS), st.text(max_size=20))
def test_a_masked_text_holds_no_clock(one: str, other: str, words: str) -> None:
    text = masked(f"{one}\n{words}\n{other}")
    assert masked(text) == text


def test_an_opening_without_figures_is_the_same_for_each_session() -> None:
    one = "You are an agent (run 5f3a-11). Today is Tue Nov 24, 06:00 PM; cch=ab1f2; You write."
    other = "You are an agent (run 77b2-90). Today is Wed Dec 2, 11:30 AM; cch=fffff; You write."
    assert without_figures(one) == without_figures(other)
    assert without_figures(one) != without_figures(one.replace("write", "name"))
