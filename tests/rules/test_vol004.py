"""The state of the project leaves the system prompt, whole, and only that."""

from __future__ import annotations

import pytest

from keepwarm.core.prompt import Head, SystemBlock
from keepwarm.rules.vol004 import move

ENV = "<env>\nWorking directory: /src\nToday's date: 2026-11-24\n</env>"
GIT = "gitStatus: This is the state at the start.\n\nCurrent branch: main\n\nStatus:\n M a.py"


def moved(*texts: str) -> tuple[list[str], list[str]]:
    fix = move(Head(tuple(SystemBlock(text, index) for index, text in enumerate(texts))), None)
    again = move(fix.head, None)
    assert (again.head, again.edits) == (fix.head, ())
    return [block.text for block in fix.head.system], [notice.text for notice in fix.notices]


@pytest.mark.parametrize(
    ("texts", "kept", "told"),
    [
        ([f"You are an agent.\n{ENV}\nBe brief."], ["You are an agent.\nBe brief."], [ENV]),
        ([f"You are an agent.\n\n{GIT}"], ["You are an agent.\n\n"], [GIT]),
        (["You are an agent.", GIT], ["You are an agent."], [GIT]),
        ([f"{ENV}\nrules\n{GIT}"], ["rules\n"], [f"{ENV}\n{GIT}"]),
        (["You are an agent that reads gitStatus: lines."], ["You are an agent that reads gitStatus: lines."], []),
        (["Say <env> when you mean it."], ["Say <env> when you mean it."], []),
        (["<env>\nnot closed"], ["<env>\nnot closed"], []),
    ],
)
def test_sections_that_are_known(texts: list[str], kept: list[str], told: list[str]) -> None:
    assert moved(*texts) == (kept, told)


def test_a_head_without_them_is_the_same_object() -> None:
    head = Head((SystemBlock("Be brief.", 0),))
    assert move(head, None).head is head
