"""One shape for what reads the same."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core import digest
from keepwarm.core.answer import Answer
from keepwarm.core.prompt import Message, Text, ToolUse, Turn
from keepwarm.rules.his006 import canonical, respace
from tests.rules.turns import NOTHING, Recalled, answered_turns, any_message, asked_turns, memories


@given(any_message)
def test_only_empty_text_goes_and_identity_never_sees_it(message: Message) -> None:
    after = canonical(message).value
    assert [block for block in message.blocks if not isinstance(block, Text) or block.text] == list(after.blocks)
    assert digest.of_message(after) == digest.of_message(message)


@given(answered_turns, memories)
def test_nothing_but_white_space_at_the_ends_changes(said: Turn, memory: Recalled) -> None:
    def words(turn: Turn) -> str:
        return "".join(block.text for block in turn.blocks() if isinstance(block, Text))

    def rest(turn: Turn) -> list[object]:
        return [block for block in turn.blocks() if not isinstance(block, Text)]

    after = respace(said, memory).value
    assert words(after).strip() == words(said).strip()
    assert rest(after) == rest(said)
    assert respace(said, NOTHING).value is said


@given(asked_turns, memories)
def test_a_users_white_space_is_the_users(asked: Turn, memory: Recalled) -> None:
    assert respace(asked, memory).value is asked


def test_several_texts_are_not_joined() -> None:
    said = Turn((Message("assistant", (Text("a"), ToolUse("toolu_1", "Bash", "{}"), Text("b")), 0),))
    assert respace(said, Recalled(Answer("ab "))).value is said
