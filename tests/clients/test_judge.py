"""The judge sees what it has to see: a word that is missing, a place that was rewritten, arguments put back."""

from __future__ import annotations

import json
from typing import Any

from keepwarm.testing.answers import Answer
from tests.clients.judge import blocks, missing, newest_turn, put_back, said

MARK = {"cache_control": {"type": "ephemeral"}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "six files"}]}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "look around"},
    {"role": "assistant", "content": [{"type": "text", "text": "I look."}]},
    {"role": "user", "content": [RESULT, {"type": "tool_result", "tool_use_id": "u", "content": "seven lines\n"}]},
    {"role": "system", "content": [{"type": "text", "text": "be brief", **MARK}]},
]


def test_the_newest_turn_is_all_behind_the_last_answer() -> None:
    assert newest_turn({"messages": MESSAGES}) == MESSAGES[2:]
    assert newest_turn({"messages": MESSAGES[:1]}) == MESSAGES[:1]


def test_each_text_of_user_tools_and_client_counts_and_no_answer() -> None:
    assert [list(said(message)) for message in MESSAGES] == [
        ["look around"],
        [],
        ["six files", "seven lines\n"],
        ["be brief"],
    ]


def test_a_word_that_did_not_arrive_is_missed() -> None:
    assert missing(MESSAGES, "look around ... six files ... seven lines ... be brief") == []
    assert missing(MESSAGES, "look around ... six  files ... seven lines ... be") == ["six files", "be brief"]


def test_neither_a_mark_nor_a_shape_is_a_change() -> None:
    moved = {"role": "user", "content": [{"type": "text", "text": "look around", **MARK}]}
    assert blocks(MESSAGES[0]) == blocks(moved)
    assert blocks(MESSAGES[0]) != blocks({"role": "user", "content": "look about"})


def test_arguments_are_put_back_as_generated_also_where_a_call_was_lost() -> None:
    def message(*calls: tuple[str, str]) -> dict[str, Any]:
        rows = [{"function": {"name": name, "arguments": text}} for name, text in calls]
        return {"role": "assistant", "tool_calls": rows}

    answers = [
        Answer(tool_calls=(("Read", '{"path": "a"}'), ("Bash", '{"b": 1, "a": "cd x && ls  "}'))),
        Answer(text="Done."),
    ]
    messages = [{"role": "user"}, message(("Bash", '{"a": "ls"}')), {"role": "assistant"}]
    put_back(messages, answers)
    assert messages[1] == message(("Bash", json.dumps({"b": 1, "a": "cd x && ls  "})))
