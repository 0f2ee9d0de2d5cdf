"""Numbers and times as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.views import words


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1_000, "1.0k"),
        (20_431, "20.4k"),
        (99_999, "99.9k"),
        (204_311, "204k"),
        (999_999, "999k"),
        (1_234_567, "1.2M"),
        (7_000_000_000, "7.0G"),
    ],
)
def test_a_count_in_short(number: int | None, said: str) -> None:
    assert words.short(number) == said


@given(st.integers(0, 10**12 - 1))
def test_a_count_in_short_takes_five_characters_at_most(number: int) -> None:
    assert len(words.short(number)) <= 5


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (None, "-"),
        (0.04, "0.0ms"),
        (9.94, "9.9ms"),
        (9.96, "10ms"),
        (310.4, "310ms"),
        (999.6, "1.0s"),
        (3_140.0, "3.1s"),
        (99_990.0, "100s"),
        (142_000.0, "142s"),
        (4_500_000.0, "75m"),
    ],
)
def test_a_time(milliseconds: float | None, said: str) -> None:
    assert words.span(milliseconds) == said


@given(st.floats(0, 3.6e7))
def test_a_time_takes_five_characters_at_most(milliseconds: float) -> None:
    assert len(words.span(milliseconds)) <= 5


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (8_123, 20_431, "39.7%"),
        (0, 20_431, "0%"),
        (1, 20_431, "<0.1%"),
        (20_430, 20_431, "99.9%"),
        (20_431, 20_431, "100%"),
        (0, 0, "-"),
    ],
)
def test_all_is_only_all_and_nothing_only_nothing(part: int, whole: int, said: str) -> None:
    assert words.share(part, whole) == said


def test_one_is_not_many() -> None:
    assert (words.times(1, "token"), words.times(0, "token"), words.times(2_000, "token")) == (
        "1 token",
        "0 tokens",
        "2,000 tokens",
    )


@given(st.text())
def test_foreign_text_stays_on_its_line_and_moves_no_cursor(text: str) -> None:
    cleaned = words.clean(text)
    assert len(cleaned) == len(text)
    assert cleaned.isprintable()


def test_what_turns_a_line_around_is_taken_out() -> None:
    assert words.clean("a\u202eb\x1b[2Jc\x9bd\r\n") == "a b [2Jc d  "


def test_ascii_keeps_every_word() -> None:
    assert words.ascii_only("█▒░ · ×2 — Süd …") == "#x. | x2 - S\\xfcd ..."


def test_seconds_in_a_sentence() -> None:
    assert [words.seconds(ms) for ms in (8_230.0, 950.0, 949.0, 30.0, 1_234_567.0)] == [
        "8.2 s", "0.9 s", "0.95 s", "0.03 s", "1,234.6 s"
    ]  # fmt: skip
