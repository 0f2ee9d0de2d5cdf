"""The token countdown: whole blocks and whole lines of it, and never a user's own words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Message, Text, ToolResult
from keepwarm.rules.vol002 import drop, names
from tests.rules.turns import COUNTDOWN, any_message

numbers = st.from_regex(r"\d[\d,_]{0,10}", fullmatch=True)
prose = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1).filter(str.strip)


@given(numbers, st.lists(prose, min_size=1, max_size=4), st.integers(0, 4))
def test_a_line_of_a_system_message_goes_and_the_others_stay(number: str, lines: list[str], place: int) -> None:
    tag = f"<total_tokens>{number} tokens left</total_tokens>"
    place %= len(lines) + 1
    text = "\n".join([*lines[:place], tag, *lines[place:]])
    (block,) = drop(Message("system", (Text(text),), 0)).value.blocks
    assert isinstance(block, Text)
    assert block.text.strip("\n") == "\n".join(lines).strip("\n")


@given(prose, numbers)
def test_a_user_who_writes_about_the_tag_is_not_touched(words: str, number: str) -> None:
    tag = f"<total_tokens>{number} tokens left</total_tokens>"
    for text in (f"{words} {tag}", f"{tag}{words}", f"{words}\n{tag}"):
        message = Message("user", (Text(text), Text("and this")), 0)
        assert drop(message).value is message


@given(any_message)
def test_an_assistants_words_and_a_tools_output_are_not_touched(message: Message) -> None:
    after = drop(message).value
    if message.role == "assistant":
        assert after is message
    results = [block for block in message.blocks if isinstance(block, ToolResult)]
    assert [block for block in after.blocks if isinstance(block, ToolResult)] == results


@pytest.mark.parametrize(
    "text",
    [
        COUNTDOWN,
        f"\n{COUNTDOWN}\n",
        f"<system-reminder>\n{COUNTDOWN}\n</system-reminder>",
        "<total_tokens> 1,000_000 tokens left </total_tokens>",
    ],
)
def test_shapes_of_a_countdown(text: str) -> None:
    fix = drop(Message("user", (Text("hi"), Text(text)), 2))
    assert fix.value.blocks == (Text("hi"),)
    assert [(edit.code, edit.path, edit.before) for edit in fix.edits] == [("VOL002", "/messages/2/content/1", text)]


def test_it_is_named_only_where_texts_part_inside_one() -> None:
    before, after = f"Be brief.\n{COUNTDOWN}\nend", f"Be brief.\n{COUNTDOWN.replace('8', '9', 1)}\nend"
    assert names(Difference("system", before=before, after=after, offset=24))
    assert not names(Difference("turn", before=before, after=before.replace("end", "fin"), offset=len(before) - 3))
    assert not names(Difference("turn", before=before.replace("brief", "kind"), after=before, offset=3))
