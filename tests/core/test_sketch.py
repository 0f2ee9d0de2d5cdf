"""How two versions of a turn differ, told without their words."""

from __future__ import annotations

import pytest
from hypothesis import given

from keepwarm.core import digest
from keepwarm.core.prompt import Block, Message, Text, Thinking, ToolResult, ToolUse, Turn
from keepwarm.core.sketch import changes, loose_of, loose_turn, marks_of, sketch
from tests.rules.turns import turns

REMINDER = "<system-reminder>be brief</system-reminder>"
A, B = ToolResult("A", (Text("1"),)), ToolResult("B", (Text("2"),))


def user(*blocks: Block) -> Turn:
    return Turn((Message("user", blocks, 4),))


def assistant(*blocks: Block) -> Turn:
    return Turn((Message("assistant", blocks, 5),))


def call(arguments: str, name: str = "Bash") -> ToolUse:
    return ToolUse("t", name, arguments)


def loosely(turn: Turn) -> bytes:
    return loose_turn(loose_of(message.role, marks_of(message)) for message in turn.messages)


SAME_MEANING = [
    (user(Text("a"), Text(REMINDER)), user(Text("a")), [("reminder", "/content/1")]),
    (user(Text("a")), user(Text("a"), Text(REMINDER)), [("reminder", "/content/1")]),
    (user(Text(f"a{REMINDER}")), user(Text("a")), [("reminder", "/content/0")]),
    (user(Text("a b")), user(Text("a  b\n")), [("space", "/content/0")]),
    (user(Text("a"), Text("")), user(Text("a")), [("space", "/content/1")]),
    (user(A, B), user(B, A), [("order", "/content/0")]),
    (user(A), user(ToolResult("A", (Text(" 1\n"),))), [("space", "/content/0")]),
    (user(A), user(ToolResult("A", (Text(f"1{REMINDER}"),))), [("reminder", "/content/0")]),
    (
        assistant(call('{"a":1,"b":5000.0}')),
        assistant(call('{"b": 5000, "a": 1}')),
        [("arguments", "/content/0/input")],
    ),
    (assistant(Thinking("hm"), Text("a")), assistant(Text("a")), [("reasoning", "/content/0")]),
]
EDITS = [
    (user(Text("a")), user(Text("b")), [("content", "/content/0")]),
    (user(Text("a")), user(Text("a"), Text("b")), [("content", "/content/1")]),
    (user(Text("a"), Text("b")), user(Text("a")), [("content", "/content/1")]),
    (user(A, B), user(A), [("content", "/content/0")]),
    (user(A), user(ToolResult("A", (Text("[cleared]"),))), [("content", "/content/0")]),
    (user(ToolResult("A", (Text(f"1{REMINDER}"),))), user(ToolResult("A", (Text("2"),))), [("content", "/content/0")]),
    (user(A), user(ToolResult("A", (Text(f"2{REMINDER}"),))), [("content", "/content/0")]),
    (assistant(call("{}")), assistant(call("{}", "Edit")), [("content", "/content/0/input")]),
]


@pytest.mark.parametrize(("old", "new", "wanted"), SAME_MEANING + EDITS)
def test_the_kind_of_each_change_and_its_place(old: Turn, new: Turn, wanted: list[tuple[str, str]]) -> None:
    found = changes(sketch(old), sketch(new))
    assert [(change.kind, change.path) for change in found] == wanted


@pytest.mark.parametrize(("old", "new", "_"), SAME_MEANING)
def test_what_clients_change_without_meaning_it_is_loosely_the_same(old: Turn, new: Turn, _: object) -> None:
    assert loosely(old) == loosely(new)


@pytest.mark.parametrize(("old", "new", "_"), EDITS)
def test_an_edit_is_not(old: Turn, new: Turn, _: object) -> None:
    assert loosely(old) != loosely(new)


@given(turns)
def test_a_turn_does_not_differ_from_itself(turn: Turn) -> None:
    assert changes(sketch(turn), sketch(turn)) == []


@given(turns, turns)
def test_two_that_read_the_same_differ_at_most_in_reasoning_and_empty_texts(one: Turn, other: Turn) -> None:
    same = [digest.of_message(message) for message in one.messages] == [
        digest.of_message(message) for message in other.messages
    ]
    if same:
        assert {change.kind for change in changes(sketch(one), sketch(other))} <= {"reasoning", "space"}


def test_a_string_is_known_by_its_path() -> None:
    (mark,) = sketch(Turn((Message("user", (Text("hi", b'"hi"'),), 0),)))
    assert mark.path == "/content"
