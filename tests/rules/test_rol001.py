"""Inline system messages: kept at their place, none lost, none between a call and its result."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core.prompt import Media, Message, Opaque, Text, ToolReference, ToolResult, Turn
from keepwarm.rules.rol001 import fold
from tests.rules.turns import NOTHING, REMINDER, answered_turns, asked_turns, said

RESULT = ToolResult("toolu_1", (Text("3 files"),))


def folded(*messages: tuple[str, tuple[Text | ToolResult, ...]]) -> list[tuple[object, ...]]:
    turn = Turn(tuple(Message(role, blocks, at) for at, (role, blocks) in enumerate(messages)))
    return [message.blocks for message in fold(turn, NOTHING).value.messages]


@given(asked_turns)
def test_no_system_message_is_left_and_no_word_is_lost(turn: Turn) -> None:
    after = fold(turn, NOTHING).value
    assert all(message.role != "system" for message in after.messages)
    heard = said(after)
    for message in turn.messages:
        for block in message.blocks:
            if isinstance(block, Text) and block.text.strip():
                assert block.text in heard

    def others(turn: Turn) -> list[object]:
        return [block for block in turn.blocks() if isinstance(block, Media | Opaque | ToolReference)]

    assert sorted(map(str, others(after))) == sorted(map(str, others(turn)))
    assert [b.id for b in after.blocks() if isinstance(b, ToolResult)] == [
        b.id for b in turn.blocks() if isinstance(b, ToolResult)
    ]


@given(asked_turns)
def test_nothing_comes_in_front_of_the_results_that_a_call_waits_for(turn: Turn) -> None:
    users = [message for message in turn.messages if message.role != "system"]
    if users and users[0].blocks and isinstance(users[0].blocks[0], ToolResult):
        assert isinstance(next(fold(turn, NOTHING).value.blocks()), ToolResult)


@given(answered_turns)
def test_an_assistants_turn_is_left_alone(turn: Turn) -> None:
    assert fold(turn, NOTHING).value is turn


def test_a_reminder_goes_into_the_result_before_it_and_words_of_the_user_do_not() -> None:
    assert folded(("user", (RESULT, Text(REMINDER), Text("go on"), Text(REMINDER)))) == [
        (ToolResult("toolu_1", (Text("3 files"), Text(REMINDER))), Text("go on"), Text(REMINDER))
    ]


def test_two_system_messages_stand_in_their_order() -> None:
    inside = (Text("3 files"), *(Text(f"<system-reminder>\n{word}\n</system-reminder>") for word in ("one", "two")))
    assert folded(("user", (RESULT,)), ("system", (Text("one"),)), ("system", (Text("two"),))) == [
        (ToolResult("toolu_1", inside),)
    ]


def test_a_turn_of_system_messages_alone_becomes_a_users() -> None:
    turn = Turn((Message("system", (Text("one"),), 4), Message("system", (Text(REMINDER),), 5)))
    (message,) = fold(turn, NOTHING).value.messages
    assert (message.role, message.index) == ("user", 4)
    assert message.blocks == (Text("<system-reminder>\none\n</system-reminder>"), Text(REMINDER))
