"""Prompts are values: frozen, comparable, and cheap to ask."""

from __future__ import annotations

import pytest

from keepwarm.core.prompt import Head, Message, SystemBlock, Text, ToolResult, ToolUse, Turn


def test_a_turn_is_the_models_own_when_its_first_message_is() -> None:
    assert Turn((Message("assistant", (), 1),)).is_assistant
    assert not Turn((Message("user", (), 0), Message("system", (), 1))).is_assistant


def test_a_turns_blocks_come_in_the_order_of_its_messages() -> None:
    first, second, third = Text("a"), ToolResult("1", (Text("b"),)), Text("c")
    turn = Turn((Message("user", (first, second), 0), Message("system", (), 1), Message("user", (third,), 2)))
    assert list(turn.blocks()) == [first, second, third]


def test_the_heads_text_is_its_blocks_with_a_blank_line_between_those_that_say_something() -> None:
    head = Head((SystemBlock("One.", 0), SystemBlock("", 1), SystemBlock("Two.", 2)))
    assert head.text() == "One.\n\nTwo."
    assert Head().text() == ""


def test_values_cannot_change() -> None:
    call = ToolUse("1", "Bash", "{}")
    with pytest.raises(AttributeError, match="immutable"):
        call.arguments = "{ }"  # type: ignore[misc]


def test_where_a_block_came_from_is_part_of_the_value_but_not_needed() -> None:
    assert Text("a") == Text("a", b"")
    assert Text("a") != Text("a", b'"a"')
