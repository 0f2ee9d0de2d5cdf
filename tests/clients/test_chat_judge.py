"""The judge sees what it has to see: a missing word, a place that was rewritten, what a request goes on from."""

from __future__ import annotations

import json
from typing import Any

from keepwarm.testing.answers import Answer
from keepwarm.testing.scripted import Exchange
from tests.clients.chat_judge import Talk, lines_missing, missing, names, newest_turn, rewritten, texts

DATE = {"type": "text", "text": "<system-reminder>\nToday is Tuesday.\n</system-reminder>"}
ASKED = {"type": "text", "text": "fix it SCRIPT one"}
CALL = ("bash", '{"timeout": 5, "command": "ls"}')
TOOLS = [{"type": "function", "function": {"name": "bash"}}]


def request(*messages: dict[str, Any], system: str = "You are an agent.") -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": system}, *messages], "tools": TOOLS}


def called(arguments: str) -> dict[str, Any]:
    function = {"name": CALL[0], "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}


def exchange(answer: Answer) -> Exchange:
    counts: dict[str, Any] = {
        "prompt_tokens": 9,
        "cached_tokens": 0,
        "prefilled_tokens": 9,
        "prompt_ms": 1.0,
        "generated_tokens": 1,
    }
    more: dict[str, Any] = {"held_tokens": 9, "fed_tokens": 0, "slot": 0, "fault": None, "cancelled": False}
    return Exchange(body=b"{}", stream=True, status=200, prompt="", answer=answer, **counts, **more)


FIRST = request({"role": "user", "content": [DATE, ASKED]})
SECOND = request(
    {"role": "user", "content": [ASKED]}, called('{"timeout":5,"command":"ls"}'), {"role": "tool", "content": "a b"}
)
THIRD = request(
    *SECOND["messages"][1:], {"role": "assistant", "content": "Done."}, {"role": "user", "content": "guess"}
)
FOURTH = request(*THIRD["messages"][1:-1], {"role": "user", "content": "go on"}, system="You are an agent. M a.py")
TALK = Talk(
    (FIRST, SECOND, THIRD, FOURTH),
    tuple(map(exchange, (Answer(tool_calls=(CALL,)), Answer(text="Done."), Answer(text="stop"), Answer(text="Yes.")))),
    (),
)


def test_each_text_of_users_and_tools_counts_and_no_answer() -> None:
    assert [list(texts(message)) for message in SECOND["messages"]] == [
        [],
        [("/content/0", ASKED["text"])],
        [],
        [("/content", "a b")],
    ]
    assert newest_turn(SECOND) == SECOND["messages"][-1:]
    assert newest_turn(FIRST) == FIRST["messages"]


def test_a_word_that_did_not_arrive_is_missed() -> None:
    prompt = "You are ... fix it SCRIPT one ... a  b"
    assert missing(SECOND["messages"], prompt) == ["a b"]
    assert lines_missing("You are\n\n  fix it\nand go", prompt) == ["and go"]


def test_a_request_goes_on_from_what_it_takes_back_the_least_of() -> None:
    assert [TALK.before(at) for at in range(4)] == [None, 0, 1, 1]
    assert list(TALK.gone(2, 3)) == [("/messages/5/content", "guess")]


def test_what_an_agent_rewrites_is_found_with_its_place() -> None:
    assert rewritten(TALK, 0) == set()
    assert rewritten(TALK, 1) == {
        ("HIS001", "/messages/1/content/0"),
        ("HIS003", "/messages/2/tool_calls/0/function/arguments"),
    }
    assert rewritten(TALK, 2) == set()
    assert rewritten(TALK, 3) == {("VOL004", "/messages/0/content")}


def test_words_that_are_no_reminder_are_the_users_own() -> None:
    edited = request({"role": "user", "content": [DATE]}, *SECOND["messages"][2:])
    assert rewritten(Talk((SECOND, edited), TALK.exchanges[:2], ()), 1) == {("HIS005", "/messages/1/content/0")}


def test_arguments_that_come_back_as_they_were_are_none_of_it() -> None:
    same = request({"role": "user", "content": [DATE, ASKED]}, called(CALL[1]))
    assert rewritten(Talk((FIRST, same), TALK.exchanges[:2], ()), 1) == set()
    assert json.loads(CALL[1]) == json.loads('{"timeout":5,"command":"ls"}')


def test_the_same_words_below_another_head_are_another_conversation() -> None:
    other = request(*FIRST["messages"][1:], system="Look for memories.")
    assert names([FIRST, other, SECOND, other]) == ["one", "one, head 2", "one", "one, head 2"]
