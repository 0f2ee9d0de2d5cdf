"""What was played: whether the client heard what was generated."""

from __future__ import annotations

from typing import Any

from keepwarm.testing.answers import Answer
from keepwarm.testing.scenarios.played import unlike, words_of

ANSWER = Answer("Done.", "hm", (("Bash", '{"a": 1}'),))
BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm"},
    {"type": "text", "text": "Do"},
    {"type": "text", "text": "ne."},
    {"type": "tool_use", "name": "Bash", "input": {"a": 1}},
]


def test_an_answer_is_heard_as_it_was_generated() -> None:
    assert unlike(ANSWER, BLOCKS) == ""
    assert words_of(BLOCKS) == "Done."


def test_what_is_not_is_named() -> None:
    assert unlike(ANSWER, BLOCKS[:2]) == "words"
    assert unlike(ANSWER, BLOCKS[1:]) == "reasoning"
    assert unlike(ANSWER, [*BLOCKS[:3], {"type": "tool_use", "name": "Bash", "input": {}}]) == "calls"
