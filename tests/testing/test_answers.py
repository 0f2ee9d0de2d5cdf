"""A marker in the user's words chooses the script, the number of assistant turns the step."""

from __future__ import annotations

from typing import Any

import pytest

from keepwarm.testing.answers import Answer, MarkerScript, content_text

CALL = Answer(tool_calls=(("Bash", '{"command": "ls"}'),))
SECOND = Answer("second")
BETA = Answer("beta speaks")
DEFAULT = Answer("nothing to do")
SIDE = Answer("A title")
SCRIPT = MarkerScript({"alpha": [CALL, SECOND], "beta-2": [BETA]}, default=DEFAULT, side=SIDE)

ASSISTANT = {"role": "assistant", "content": "said"}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def tool(text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "x", "content": text}


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        ([user("please SCRIPT alpha now")], CALL),
        ([user("SCRIPT alpha"), ASSISTANT, tool("done")], SECOND),
        ([user("SCRIPT alpha"), ASSISTANT, tool("x"), ASSISTANT, user("thanks")], DEFAULT),
        # What is no user text changes nothing.
        ([user("SCRIPT alpha"), ASSISTANT, tool("SCRIPT beta-2")], SECOND),
        ([{"role": "system", "content": "SCRIPT beta-2"}, user("SCRIPT alpha")], CALL),
        ([user("SCRIPT alpha"), {"role": "assistant", "content": "SCRIPT beta-2"}], SECOND),
        # The last marker that is known decides, and steps are counted from its message.
        ([user("SCRIPT alpha"), ASSISTANT, ASSISTANT, user("SCRIPT beta-2.")], BETA),
        ([user("SCRIPT beta-2 then SCRIPT alpha")], CALL),
        ([user("SCRIPT alpha, not SCRIPT gamma")], CALL),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "SCRIPT alpha"}]}],
            CALL,
        ),
        ([user("SCRIPT alphabet")], DEFAULT),
        ([user("no marker")], DEFAULT),
        ([], DEFAULT),
    ],
)
def test_which_answer(messages: list[dict[str, Any]], answer: Answer) -> None:
    request = {"messages": messages, "tools": [{}]}
    assert SCRIPT(request) == answer
    assert SCRIPT(request) == answer


def test_a_request_without_tools_gets_no_tool_call() -> None:
    assert SCRIPT({"messages": [user("SCRIPT alpha")]}) == SIDE
    assert SCRIPT({"messages": [user("SCRIPT beta-2")]}) == BETA
    without_side = MarkerScript({"alpha": [CALL]}, default=DEFAULT)
    assert without_side({"messages": [user("SCRIPT alpha")], "tools": []}) == DEFAULT


def test_the_finish_reason_follows_from_the_calls() -> None:
    assert (CALL.finish_reason, SECOND.finish_reason) == ("tool_calls", "stop")
    assert Answer("cut", finish="length").finish_reason == "length"


def test_content_without_text_is_empty() -> None:
    assert content_text(None) == ""
    assert content_text([{"type": "image_url"}, "odd"]) == ""
