"""Which conversations begin with the same head, and how much of it both have."""

from __future__ import annotations

from typing import Any

from keepwarm.exchange.keeper import Keeper
from keepwarm.session.heads import Twin, twins
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from tests.exchange.playbook import Playbook, chat, keeper, request

SYSTEM = "You are an agent. " * 300
TOOLS = [{"name": "Bash", "description": "Runs. " * 300, "input_schema": {"type": "object"}}]


def asked(on: Keeper, name: str, *, prompt: int = 1_000, words: str = "hi", **fields: Any) -> Playbook:
    body = request({"role": "user", "content": words}, **{"system": SYSTEM, "tools": TOOLS, **fields})
    book = Playbook(body, on, {"x-claude-code-session-id": name})
    return book.answer_with(chat(Answer("yes"), counts=Counts(0, prompt, 5, 9.0)))


def found(on: Keeper, model: str = "local") -> dict[str, Twin]:
    """The twins of the conversation that began last."""
    group = list(on.journal.groups())[-1]
    (lineage,) = group.lineages.values()
    assert lineage.head is not None
    return {twin.name: twin for twin in twins(on.journal, group.key, lineage, lineage.head, model)}


def test_a_session_with_the_same_head_is_a_twin_and_another_is_none() -> None:
    on = keeper()
    first = asked(on, "one").over().lineage
    asked(on, "three", system="Something else.", tools=[])
    asked(on, "two")
    twin = found(on)[first]
    assert 900 < twin.tokens <= 1_000
    assert twin.sent.prompt_tokens == 1_000
    assert list(found(on)) == [first]


def test_the_tokens_are_those_of_the_head_alone() -> None:
    on = keeper()
    first = asked(on, "one", words="word " * 1_500, prompt=3_000).over().lineage
    asked(on, "two")
    assert 900 < found(on)[first].tokens < 1_800


def test_a_head_that_ends_otherwise_counts_as_far_as_both_begin_alike() -> None:
    on = keeper()
    first = asked(on, "one", system=SYSTEM + "You are in /a." + "x" * 2_000).over().lineage
    asked(on, "two", system=SYSTEM + "You are in /b.")
    twin = found(on)[first]
    assert 500 < twin.tokens < 700 < twin.most < 900  # the tools count where they are printed first
    asked(on, "three", tools=[])
    twin = found(on)[first]
    assert twin.tokens == 0  # where they are printed first nothing is the same
    assert 300 < twin.most < 700


def test_another_model_is_asked_with_another_prompt() -> None:
    on = keeper()
    asked(on, "one", model="small")
    asked(on, "two")
    assert found(on) == {}


def test_of_a_request_without_counts_nothing_is_known() -> None:
    on = keeper()
    first = asked(on, "one", prompt=0).over().lineage
    asked(on, "two")
    assert first not in found(on)
