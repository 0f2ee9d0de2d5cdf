"""Reasoning that the server's chat template drops at the user's next words: where the prompts part for it."""

from __future__ import annotations

from typing import Any

import pytest

from keepwarm.exchange.dropping import find_dropped
from keepwarm.exchange.stabilise import Stable
from keepwarm.rules.engine import RuleBook
from keepwarm.testing.answers import Answer
from tests.exchange.playbook import keeper, play, request

Json = dict[str, Any]
ASK: Json = {"role": "user", "content": "go on " * 40}
RESULT: Json = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "a.txt"}]}
REMINDED: Json = {"role": "user", "content": [*RESULT["content"], {"type": "text", "text": "Think of the tests."}]}
PLAIN: Json = {"role": "assistant", "content": "Yes."}


def thought(*more: Json) -> Json:
    block = {"type": "thinking", "thinking": "The file is missing.", "signature": "s"}
    return {"role": "assistant", "content": [block, {"type": "text", "text": "I look."}, *more]}


CALL = thought({"type": "tool_use", "id": "t1", "name": "Bash", "input": {}})


def compared(before: list[Json], after: list[Json]) -> Stable:
    """The second of two requests, which no rule has changed."""
    on = keeper("chat", rules=RuleBook())
    for messages in (before, after):
        book = play(request(*messages), on, Answer("Yes."))
    stable = book.life.story.stable
    assert stable is not None
    assert stable.before is not None
    return stable


@pytest.mark.parametrize(
    ("before", "more", "path"),
    [
        # The user says something new: what was thought since the words before goes.
        ([ASK, CALL, RESULT], [PLAIN, ASK], "/messages/1"),
        ([ASK, PLAIN, ASK, CALL, RESULT], [PLAIN, ASK], "/messages/3"),
        ([ASK, CALL, RESULT], [thought(), REMINDED], "/messages/1"),
        # Only the answer held any.
        ([ASK], [thought(), ASK], "/messages/1"),
        # Inside of a loop of tools all of it stays, and what is older was dropped before.
        ([ASK], [CALL, RESULT], ""),
        ([ASK, CALL, RESULT, PLAIN, ASK], [PLAIN, ASK], ""),
        ([ASK], [PLAIN, ASK], ""),
    ],
)
def test_the_first_reasoning_behind_the_users_last_words(before: list[Json], more: list[Json], path: str) -> None:
    stable = compared(before, [*before, *more])
    assert stable.before is not None
    found = find_dropped(stable.before, stable.trail)
    assert (found.path if found is not None else "") == path
    if found is not None:
        assert (found.where, found.what) == ("template", f"the reasoning in messages[{path[-1]}]")
        assert found.share == found.most
        assert (found.share < 1.0) is (int(path[-1]) < len(before))


def test_messages_that_are_the_system_prompt_are_counted() -> None:
    stable = compared([ASK], [ASK, thought(), ASK])
    assert stable.before is not None
    found = find_dropped(stable.before, stable.trail, 2)
    assert found is not None
    assert found.path == "/messages/3"
