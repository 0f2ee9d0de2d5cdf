"""A life and the slot of the server: what is done before it takes one over."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from keepwarm.exchange.commands import (
    Ask,
    Take,
)
from keepwarm.exchange.keeper import Keeper
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from tests.exchange.playbook import (
    Happening,
    Playbook,
    answered,
    asks,
    chat,
    keeper,
    play,
    request,
    taken,
)

HELLO = chat(Answer("Hello there."))


def other(words: str) -> bytes:
    return request({"role": "user", "content": words})


def counted(tokens: int) -> Happening:
    """The server has told the tokens of a prompt."""
    return answered(200, msgspec.json.encode({"tokens": list(range(tokens))}))


def completed(book: Playbook) -> dict[str, Any]:
    """The small request that the life asks for now."""
    (small,) = [command for command in book.commands[-1:] if isinstance(command, Ask)]
    assert small.request.path == "/completion"
    return dict(json.loads(small.request.body))


def test_a_new_conversation_clears_the_slot_it_takes_over_with_its_own_first_tokens() -> None:
    on = keeper(slots=1)
    play(other("one"), on, Answer("x"))
    book = Playbook(other("two"), on) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(200, b'{"prompt":"<|im_start|>user two"}') << asks("/tokenize") >> counted(20)
    book << asks("/completion")
    assert completed(book) == {"prompt": list(range(8)), "n_predict": 0, "id_slot": 0}
    book >> answered(200) << asks("/v1/chat/completions")


def test_one_that_returns_has_its_slot_refilled_from_the_servers_memory() -> None:
    on = keeper(slots=1)
    play(other("one"), on, Answer("x"))
    play(other("two"), on, Answer("x"))
    book = Playbook(other("one"), on) << Take(0) >> taken() << asks("/completion")
    book >> answered(200) << asks("/v1/chat/completions")
    record = book.answer_with(HELLO).over()
    assert record.seat is not None
    assert record.seat.slot == 0


@pytest.mark.parametrize("status", [0, 404, 500])
def test_a_server_that_does_not_know_the_small_requests_is_asked_all_the_same(status: int) -> None:
    on = keeper(slots=1)
    play(other("one"), on, Answer("x"))
    book = Playbook(other("two"), on) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(status) << asks("/v1/chat/completions")


def test_the_small_requests_carry_the_key() -> None:
    on = keeper(slots=1)
    play(other("one"), on, Answer("x"))
    book = Playbook(other("two"), on, {"x-api-key": "secret"}) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(200, b'{"prompt":"two"}') << asks("/tokenize") >> counted(20) << asks("/completion")
    for command in book.commands:
        if isinstance(command, Ask):
            assert ("authorization", "Bearer secret") in command.request.headers


def test_after_a_compaction_the_slot_keeps_what_the_two_have_in_common() -> None:
    on, who, words = keeper(slots=4), {"x-claude-code-session-id": "s"}, "The user asked for valves and got them all."
    system: dict[str, Any] = {"system": "You are an agent.", "tools": [{"name": "Bash", "input_schema": {}}]}
    begins = request({"role": "user", "content": "hi"}, **system)
    play(begins, on, Answer(f"<summary>{words}\n{words}</summary>"), headers=who)
    body = request({"role": "user", "content": f"So far: {words}"}, **system)
    book = Playbook(body, on, {**who, "x-api-key": "secret"}) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(200, b'{"prompt":"<|system|>You are. <|user|>So far"}') << asks("/apply-template")
    older = book.commands[-1]
    assert isinstance(older, Ask)
    assert json.loads(older.request.body)["messages"][1:] == [{"role": "user", "content": "hi"}]
    assert ("authorization", "Bearer secret") in older.request.headers
    book >> answered(200, b'{"prompt":"<|system|>You are. <|user|>hi"}') << asks("/completion")
    keeping = book.commands[-1]
    assert isinstance(keeping, Ask)
    assert json.loads(keeping.request.body) == {"prompt": "<|system|>You are. <|user|>", "n_predict": 0, "id_slot": 0}
    book >> answered(200) << asks("/v1/chat/completions")
    record = book.answer_with(HELLO).over()
    assert record.seat is not None
    assert record.seat.reason == "the slot of the conversation that it takes the place of"


def talk(*words: str) -> bytes:
    """A request of a client that names no session."""
    said = [{"role": "assistant" if at % 2 else "user", "content": word} for at, word in enumerate(words)]
    return request(*said, tools=[{"name": "Bash", "input_schema": {}}])


def forked(on: Keeper) -> list[str]:
    """Two branches of one conversation, the second one at work; the names that their requests have."""
    rows = [("hi",), ("hi", "a0", "u1"), ("hi", "a0", "x1")]
    answers = ("a0", "a1", "b1")
    return [play(talk(*row), on, Answer(words)).over().lineage for row, words in zip(rows, answers, strict=True)]


def test_a_nameless_fork_whose_both_branches_go_on_splits_the_slot() -> None:
    on = keeper(slots=4, memory="full")
    on.learn_saves(True)
    (name,) = set(forked(on))
    book = Playbook(talk("hi", "a0", "u1", "a1", "u2"), on) << Take(0) >> taken() << asks("/apply-template")
    book >> answered(200, b'{"prompt":"all of it"}') << asks("/tokenize")
    book >> answered(200, msgspec.json.encode({"tokens": list(range(500))})) << asks("/completion")
    split = book.commands[-1]
    assert isinstance(split, Ask)
    assert len(json.loads(split.request.body)["prompt"]) == 47  # of 90 cached, 10 processed and 5 generated
    book >> answered(200) << asks("/v1/chat/completions")
    record = book.answer_with(chat(Answer("a2"), counts=Counts(20, 300, 5, 12.5))).over()
    assert record.lineage != name
    assert record.verdict is not None
    assert (record.verdict.outcome, record.verdict.blame, record.verdict.causes) == ("first", "nobody", ())
    other = Playbook(talk("hi", "a0", "x1", "b1", "x2"), on) << Take(1) >> taken() << asks("/completion")
    other >> answered(200) << asks("/v1/chat/completions")
    assert other.answer_with(HELLO).over().lineage == name


def test_where_a_slot_cannot_be_split_the_branch_is_processed_once_in_an_empty_one() -> None:
    on = keeper(slots=4, memory="swa")
    (name,) = set(forked(on))
    book = Playbook(talk("hi", "a0", "u1", "a1", "u2"), on) << Take(1) >> taken() << asks("/v1/chat/completions")
    record = book.answer_with(HELLO).over()
    assert record.lineage != name
    again = Playbook(talk("hi", "a0", "x1", "b1", "x2"), on) << asks("/slots") >> answered(501)
    again << Take(0) >> taken() << asks("/v1/chat/completions")
    assert again.answer_with(HELLO).over().lineage == name


def test_a_nameless_rewind_keeps_its_slot() -> None:
    on = keeper(slots=4, memory="full")
    forked(on)
    book = Playbook(talk("hi", "a0", "y1"), on) << Take(0) >> taken() << asks("/v1/chat/completions")
    book.answer_with(HELLO).over()


@pytest.mark.parametrize("statuses", [(0,), (200, 404)], ids=str)
def test_where_a_slot_cannot_be_prepared_the_request_goes_all_the_same(statuses: tuple[int, ...]) -> None:
    on, who, words = keeper(slots=4), {"x-claude-code-session-id": "s"}, "The user asked for valves and got them all."
    tools = [{"name": "Bash", "input_schema": {}}]
    play(request({"role": "user", "content": "hi"}, tools=tools), on, Answer(words), headers=who)
    book = Playbook(request({"role": "user", "content": words}, tools=tools), on, who) << Take(0) >> taken()
    for status in statuses:
        book << asks("/apply-template")
        book >> answered(status, b'{"prompt":"a"}')
    book << asks("/v1/chat/completions")
