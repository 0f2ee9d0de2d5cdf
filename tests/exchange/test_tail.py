"""What the gateway tells the model: once, in the newest turn, inside the result that it ends with."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core import digest
from keepwarm.core.prompt import Message, Notice, Text, Tool, ToolReference, ToolResult, Turn
from keepwarm.core.reminder import wrap
from keepwarm.exchange.tail import Tail, find_reminder, tell, tell_tools
from keepwarm.rules import ord002
from tests.rules.turns import asked_turns, said

DATE = Notice("clock", "It is Tuesday.", "VOL003", "/system", "It is Monday.")
TOLD = (("clock", digest.of_text("It is Tuesday.")),)
ASKED = Turn((Message("user", (Text("go on"),), 2), Message("system", (Text("note"),), 3)))


def test_it_is_told_behind_the_users_words_and_listed() -> None:
    turn, told, edits = tell(ASKED, Tail((DATE,)))
    assert turn.messages[0].blocks == (Text("go on"), Text(wrap("It is Tuesday.")))
    assert turn.messages[1] == ASKED.messages[1]
    assert told == TOLD
    assert [(edit.code, edit.path, edit.before, edit.after) for edit in edits] == [
        ("VOL003", "/system", "", wrap("It is Tuesday."))
    ]


def test_inside_a_result() -> None:
    turn, _, _ = tell(Turn((Message("user", (ToolResult("t", (Text("out"),)),), 2),)), Tail((DATE,)))
    assert turn.messages[0].blocks == (ToolResult("t", (Text("out"), Text(wrap("It is Tuesday.")))),)


@given(asked_turns)
def test_what_was_told_is_not_told_again_and_nothing_else_is_lost(turn: Turn) -> None:
    assert tell(turn, Tail((DATE,), TOLD)) == (turn, (), [])
    grown, told, _ = tell(turn, Tail((DATE,)))
    assert said(grown).replace(wrap("It is Tuesday."), "").split() == said(turn).split()
    assert tell(grown, Tail((DATE,), told)) == (grown, (), [])


def test_what_the_head_says_itself_need_not_be_told_until_it_was_otherwise() -> None:
    back = Notice("clock", "It is Monday.", "VOL003", "/system", "It is Monday.")
    assert tell(ASKED, Tail((back,)))[1] == ()
    assert tell(ASKED, Tail((back,), TOLD))[1] == (("clock", digest.of_text("It is Monday.")),)


def test_a_reminder_is_found_by_its_digest() -> None:
    one = "<system-reminder>a</system-reminder>"
    strict = digest.of_text(one)
    assert find_reminder(Text(one), strict) == one
    assert find_reminder(Text(f"words {one}"), strict) == one
    assert find_reminder(ToolResult("t", (Text(f"out{one}"),)), strict) == one
    assert find_reminder(Text("a"), digest.of_text("a")) == "a"
    assert find_reminder(Text("words"), strict) == ""


# Tools that are loaded


def test_a_tool_is_told_where_a_result_loads_it() -> None:
    loading = ToolResult("t", (Text("found"), ToolReference("Zip"), ToolReference("Other")))
    turn = Turn((Message("user", (Text("go on"), loading), 4),))
    tool = Tool("Zip", "Packs.", b'{"type":"object"}', 7, deferred=True)
    now, edits = tell_tools(turn, {"Zip": tool})
    told = Text(ord002.told(tool))
    assert now.messages[0].blocks == (
        Text("go on"),
        ToolResult("t", (Text("found"), told, ToolReference("Other"))),
    )
    assert [(edit.code, edit.path, edit.after) for edit in edits] == [("ORD002", "/messages/4/content/1", told.text)]


@given(asked_turns)
def test_where_nothing_is_loaded_the_turn_is_as_it_was(turn: Turn) -> None:
    assert tell_tools(turn, {}) == (turn, [])
