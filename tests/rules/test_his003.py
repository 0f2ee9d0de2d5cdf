"""Tool calls as generated: by id, whole, and their results under the same id."""

from __future__ import annotations

from hypothesis import given

from keepwarm.codec.json_text import is_object
from keepwarm.core.answer import Answer, Call
from keepwarm.core.prompt import Message, Text, ToolResult, ToolUse, Turn
from keepwarm.rules.his003 import replay
from tests.rules.turns import NOTHING, Recalled, answered_turns, asked_turns, memories

ANSWER = Answer("", calls=(Call("toolu_1", "u1", "Bash", '{"b": 1}'), Call("toolu_2", "", "Read", '{"c": 2}')))


def test_each_call_of_an_answer_gets_its_own_text() -> None:
    said = Turn((Message("assistant", (ToolUse("toolu_2", "Read", "{}"), ToolUse("toolu_1", "Bash", "{}")), 1),))
    fix = replay(said, Recalled(ANSWER))
    assert list(fix.value.blocks()) == [
        ToolUse("toolu_2", "Read", '{"c": 2}', ""),
        ToolUse("toolu_1", "Bash", '{"b": 1}', "u1"),
    ]
    assert [edit.path for edit in fix.edits] == ["/messages/1/content/0/input", "/messages/1/content/1/input"]


def test_a_result_goes_under_the_servers_id_and_that_is_no_edit() -> None:
    heard = Turn((Message("user", (ToolResult("toolu_1", (Text("ok"),)), ToolResult("toolu_2", ())), 2),))
    fix = replay(heard, Recalled(ANSWER))
    assert [block.id for block in fix.value.blocks() if isinstance(block, ToolResult)] == ["u1", "toolu_2"]
    assert fix.edits == ()


def test_the_same_text_is_no_edit() -> None:
    said = Turn((Message("assistant", (ToolUse("toolu_2", "Read", '{"c": 2}'),), 1),))
    fix = replay(said, Recalled(ANSWER))
    assert fix.value.messages[0] is said.messages[0]
    assert fix.edits == ()


@given(answered_turns, memories)
def test_what_goes_up_is_always_a_whole_object(said: Turn, memory: Recalled) -> None:
    for block in replay(said, memory).value.blocks():
        if isinstance(block, ToolUse):
            assert is_object(block.arguments)


@given(asked_turns, memories)
def test_what_a_result_says_is_never_touched(heard: Turn, memory: Recalled) -> None:
    def contents(turn: Turn) -> list[object]:
        return [block.content if isinstance(block, ToolResult) else block for block in turn.blocks()]

    assert contents(replay(heard, memory).value) == contents(heard)
    assert replay(heard, NOTHING).value == heard
