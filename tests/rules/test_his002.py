"""Lost reasoning: found again by call or text, whichever stands, and put first."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import Message, Text, Thinking, ToolUse, Turn
from keepwarm.rules.his002 import reattach, recall
from tests.rules.turns import NOTHING, Recalled, answered_turns, asked_turns, memories

ANSWER = Answer("I look.", "The file is missing.", "kw1.s", (Call("toolu_1", "u1", "Bash", "{}"),))


def turn(*blocks: Text | Thinking | ToolUse) -> Turn:
    return Turn((Message("assistant", blocks, 3),))


def test_any_call_of_the_turn_recalls_its_answer() -> None:
    calls = (ToolUse("toolu_9", "Bash", "{}"), ToolUse("toolu_1", "Bash", "{}"))
    assert recall(turn(*calls), Recalled(ANSWER)) is ANSWER


def test_a_turn_with_calls_is_not_found_by_its_text() -> None:
    by_text = Recalled(Answer("I look.", "Something else."))
    assert recall(turn(Text("I look."), ToolUse("toolu_9", "Bash", "{}")), by_text) is None
    assert recall(turn(Text(" I look.\n")), by_text) is not None


def test_cut_reasoning_is_whole_again_and_several_pieces_that_are_whole_stay() -> None:
    call = ToolUse("toolu_1", "Bash", "{}")
    cut = reattach(turn(Thinking("The file", "x"), call), Recalled(ANSWER))
    assert cut.value.messages[0].blocks == (Thinking("The file is missing.", "kw1.s"), call)
    assert [(edit.path, edit.before) for edit in cut.edits] == [("/messages/3", "The file")]
    whole = turn(Thinking("The file ", "x"), Thinking("is missing.", "y"), call)
    assert reattach(whole, Recalled(ANSWER)).value is whole


@given(asked_turns, memories)
def test_only_an_assistant_has_reasoning(asked: Turn, memory: Recalled) -> None:
    assert reattach(asked, memory).value is asked


@given(answered_turns, memories)
def test_what_the_turn_says_and_calls_is_never_touched(said: Turn, memory: Recalled) -> None:
    def rest(turn: Turn) -> list[object]:
        return [block for block in turn.blocks() if not isinstance(block, Thinking) or block.redacted]

    assert rest(reattach(said, memory).value) == rest(said)
    assert reattach(said, NOTHING).value is said
