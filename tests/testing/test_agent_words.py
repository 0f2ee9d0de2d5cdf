"""The synthetic agent's words: as many as asked for, the same for a seed."""

from __future__ import annotations

import random

import pytest

from keepwarm.testing import agent_words as words


@pytest.mark.parametrize("count", [0, 1, 7, 200])
def test_prose_has_as_many_words_as_asked_for(count: int) -> None:
    assert len(words.prose(random.Random(1), count).split()) == count


@pytest.mark.parametrize("count", [8, 20])
def test_tools_have_schemas_that_name_what_is_required(count: int) -> None:
    made = words.tools(random.Random(1), count, 5)
    assert len({tool["name"] for tool in made}) == count
    for tool in made:
        assert set(tool["input_schema"]["required"]) <= set(tool["input_schema"]["properties"])


@pytest.mark.parametrize("name", ["Bash", "Read", "Edit", "Grep", "Write"])
def test_a_tool_prints_about_as_much_as_asked_for_and_the_same_for_a_seed(name: str) -> None:
    long = words.tool_result(random.Random(2), name, 300)
    assert long == words.tool_result(random.Random(2), name, 300)
    assert 100 < len(long.split()) < 500


def test_a_file_is_shown_with_line_numbers() -> None:
    assert words.numbered(["a", "b"]) == "   1→a\n   2→b"
