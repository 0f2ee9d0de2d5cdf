"""Reminders: blocks of their own, and inside of texts and results."""

from __future__ import annotations

import pytest

from keepwarm.core.prompt import Media, Text, ToolResult
from keepwarm.core.reminder import behind, inside, is_reminder, without, wrap

ONE = "<system-reminder>be brief</system-reminder>"
TWO = "<total_tokens>5 tokens left</total_tokens>"


@pytest.mark.parametrize(
    ("text", "found"), [(ONE, True), (f"\n{ONE} ", True), (f"{ONE} and", False), ("be brief", False)]
)
def test_what_is_nothing_but_a_reminder(text: str, found: bool) -> None:
    assert is_reminder(text) is found


def test_words_are_wrapped_once() -> None:
    assert wrap("be brief") == "<system-reminder>\nbe brief\n</system-reminder>"
    assert wrap(wrap("be brief")) == wrap("be brief")


def test_those_in_a_text_and_the_text_without_them() -> None:
    text = f"a{ONE}b\n{TWO}c{ONE}"
    assert inside(text) == (ONE, TWO, ONE)
    assert without(text) == "ab\nc"
    assert (inside("plain"), without("plain")) == ((), "plain")


def test_notes_go_into_the_result_that_the_turn_ends_with() -> None:
    result = ToolResult("t", (Text("out"),))
    image = Media("image", "image/png", "aGk=")
    assert behind((Text("a"), result), Text(ONE), image) == (
        Text("a"),
        ToolResult("t", (Text("out"), Text(ONE))),
        image,
    )
    assert behind((result, Text("a")), Text(ONE)) == (result, Text("a"), Text(ONE))
    assert behind((), Text(ONE)) == (Text(ONE),)
