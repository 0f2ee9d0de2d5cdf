"""The secret of a first turn: the same for all that a client changes without meaning it, and for nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Message, Text
from keepwarm.core.secret import SECRET_BYTES, secret_of
from keepwarm.core.sketch import loose_of, loose_turn, marks_of
from tests.rules.turns import words

texts = st.lists(words.map(Text), max_size=3).map(tuple)
messages = st.lists(st.builds(Message, st.sampled_from(["user", "system", "assistant"]), texts, st.just(0)), max_size=3)


def loose(turn: list[Message]) -> bytes:
    return loose_turn(loose_of(message.role, marks_of(message)) for message in turn)


@given(messages, messages)
def test_two_turns_that_are_loosely_one_have_one_secret(one: list[Message], other: list[Message]) -> None:
    assert (secret_of(one) == secret_of(other)) == (loose(one) == loose(other))


def test_who_asks_is_part_of_it() -> None:
    turn = [Message("user", (Text("hi"),), 0)]
    assert len(secret_of(turn)) == SECRET_BYTES
    assert len({secret_of(turn), secret_of(turn, b"a", b"b"), secret_of(turn, b"ab", b"")}) == 3
