"""An answer that was interrupted: as far as it was generated, when the client's words begin it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.answer import Answer
from keepwarm.core.prompt import Message, Text, Thinking, Turn
from keepwarm.rules.his007 import restore
from tests.rules.turns import Recalled, answers, turns

CUT = Answer("I will look at it. Then I", "Let me see.", "s")


@given(turns, answers, answers)
def test_a_second_time_nothing_changes(turn: Turn, whole: Answer, cut: Answer) -> None:
    memory = Recalled(whole, cut)
    once = restore(turn, memory)
    assert restore(once.value, memory).value == once.value
    if not once.edits:
        assert once.value is turn


@given(st.integers(1, len(CUT.text)))
def test_whatever_part_the_client_kept(kept: int) -> None:
    turn = Turn((Message("assistant", (Text(CUT.text[:kept]),), 1),))
    blocks = restore(turn, Recalled(Answer(), CUT)).value.messages[0].blocks
    expected = (Thinking(CUT.thinking, "s"), Text(CUT.text)) if kept < len(CUT.text) else (Text(CUT.text),)
    assert blocks == expected


def test_a_whole_answer_of_these_words_comes_first() -> None:
    turn = Turn((Message("assistant", (Text("I will look at it."),), 1),))
    assert restore(turn, Recalled(Answer("I will look at it."), CUT)).value is turn
