"""Where two texts part, and what of a place may be shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.diff import Difference, common_prefix, excerpt, line_around

texts = st.text(alphabet="ab\n1é ", max_size=40)


@given(texts, texts, texts)
def test_the_common_prefix_is_all_that_is_shared_and_no_more(head: str, one: str, other: str) -> None:
    before, after = head + one, head + other
    shared = common_prefix(before, after)
    assert shared >= len(head)
    assert before[:shared] == after[:shared]
    assert before[shared : shared + 1] != after[shared : shared + 1] or shared == len(before) == len(after)


@given(texts, texts)
def test_which_text_comes_first_does_not_matter(one: str, other: str) -> None:
    assert common_prefix(one, other) == common_prefix(other, one)


def test_edges_of_the_common_prefix() -> None:
    assert common_prefix("", "") == common_prefix("", "a") == common_prefix("a", "b") == 0
    assert common_prefix("same", "same") == common_prefix("same", "same and more") == 4
    long = "x" * 100_000
    assert common_prefix(long + "a", long + "b") == 100_000


@given(texts, st.integers(0, 60))
def test_the_line_around_a_place_is_the_line_that_an_editor_shows(text: str, at: int) -> None:
    at = min(at, len(text))
    assert line_around(text, at) == text.split("\n")[text.count("\n", 0, at)]


@given(texts, st.integers(0, 60))
def test_an_excerpt_shows_the_shape_and_no_word(text: str, at: int) -> None:
    shape = excerpt(text, at)
    piece = text[max(0, at - 12) : at + 24]
    assert len(shape) == len(piece)
    assert set(shape) <= set("x0 ")
    assert [c == "0" for c in shape] == [c.isdigit() for c in piece]
    assert excerpt(text, at, plain=True) == piece


@given(st.text(max_size=60), st.integers(0, 60))
def test_an_excerpt_of_any_text_shows_no_letter_no_figure_and_no_sign_of_another_script(text: str, at: int) -> None:
    shown = set(excerpt(text, at)) - set("x0")
    assert all(c.isascii() and not c.isalnum() for c in shown)


def test_an_excerpt_keeps_the_signs_between_words() -> None:
    assert excerpt("cch=0a1b2; Straße 7", 0) == "xxx=0x0x0; xxxxxx 0"
    assert excerpt("हिन्दी ½ 😀", 0) == "xxxxxx 0 x"


def test_no_difference_is_all_empty() -> None:
    assert Difference("none") == Difference("none", "", "", "", "", 0, "")
