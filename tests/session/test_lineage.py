"""Turns, what two requests share, and the shape of a prompt."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Head, Options
from keepwarm.session.lineage import SHAPE_CHARACTERS, HeadState, Sent, group_turns, shape_of

HEAD = HeadState(b"", Head(), b"", b"")
roles = st.lists(st.sampled_from(("user", "assistant", "system", "developer")), max_size=12)
keys = st.lists(st.sampled_from((b"a", b"b")), max_size=8)


def sent(keys: list[bytes]) -> Sent:
    """A request with these turns."""
    return Sent("r", tuple(keys), HEAD, Options("m"))


def chained(row: list[bytes]) -> list[bytes]:
    """Each key with all before it, as chain digests are: equal only when all before are equal."""
    return [b"".join(row[: end + 1]) for end in range(len(row))]


def test_a_run_of_messages_between_two_answers_is_one_turn() -> None:
    row = ["user", "system", "assistant", "assistant", "user", "user", "system"]
    assert group_turns(row) == [(0, 2), (2, 3), (3, 4), (4, 7)]


def test_nothing_said_is_no_turn() -> None:
    assert group_turns([]) == []


@given(roles)
def test_each_message_is_in_one_turn_and_each_answer_has_its_own(row: list[str]) -> None:
    turns = group_turns(row)
    assert [at for start, end in turns for at in range(start, end)] == list(range(len(row)))
    for start, end in turns:
        assert row[start:end] == ["assistant"] or (end > start and "assistant" not in row[start:end])
    kinds = [row[start] == "assistant" for start, _ in turns]
    assert not any(one is other is False for one, other in pairwise(kinds))


@given(roles, roles)
def test_what_comes_behind_an_answer_does_not_move_the_turns_before_it(row: list[str], more: list[str]) -> None:
    before = [*row, "assistant"]
    assert group_turns([*before, *more])[: len(group_turns(before))] == group_turns(before)


@given(keys, keys)
def test_two_requests_share_their_leading_equal_turns(one: list[bytes], other: list[bytes]) -> None:
    expected = 0
    while expected < min(len(one), len(other)) and one[expected] == other[expected]:
        expected += 1
    assert sent(chained(one)).shared(chained(other)) == expected


def test_the_shape_is_the_opening_words_and_whether_there_are_tools() -> None:
    opening = "You are an agent. " * 100
    assert len(opening) > SHAPE_CHARACTERS
    assert shape_of(opening + "on main", True) == shape_of(opening + "on a branch", True)
    assert shape_of(opening, True) != shape_of(opening, False)
    assert shape_of("Write a title.", True) != shape_of(opening, True)
