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
    hung_up,
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


@pytest.mark.parametrize(("found", "saves"), [(60, True), (0, False)])
def test_a_slot_is_split_only_where_the_server_is_seen_to_save_what_it_loses(found: int, saves: bool) -> None:
    on = keeper(slots=4, memory="full")
    forked(on)
    book = Playbook(talk("hi", "a0", "u1", "a1", "u2"), on)
    for cached in (0, 0, found):
        book << asks("/completion") >> answered(200, b'{"timings":{"cache_n":%d}}' % cached)
    assert (on.table.saves, on.table.busy()) == (saves, 1)
    book << Take(0 if saves else 1) >> taken()
    book.commands_seen().answer_with(HELLO).over()


@pytest.mark.parametrize("ending", [answered(0), hung_up()], ids=["lost", "hung up"])
def test_a_trial_that_comes_to_nothing_leaves_the_slot_to_others(ending: Happening) -> None:
    on = keeper(slots=4, memory="full")
    forked(on)
    book = Playbook(talk("hi", "a0", "u1", "a1", "u2"), on) << asks("/completion")
    assert on.table.busy() == 1
    book >> ending
    book.commands_seen()
    if not book.is_over:
        book.answer_with(HELLO)
    assert on.table.busy() == 0


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


# A head that is warm in another slot

HEAD: dict[str, Any] = {"system": "You are an agent. " * 400, "tools": [{"name": "Bash", "input_schema": {}}]}
BIG = Counts(0, 3_000, 5, 90.0)


def begins(name: str, on: Keeper, counts: Counts = BIG) -> Playbook:
    """A whole first request of a session that says nothing but its name."""
    return Playbook(request({"role": "user", "content": name}, **HEAD), on, who(name)).answer_with(
        chat(Answer("yes"), counts=counts)
    )


def who(name: str) -> dict[str, str]:
    return {"x-claude-code-session-id": name}


def slots_hold(*tokens: int) -> Happening:
    """The server tells what is in its slots."""
    rows = [{"id": slot, "id_task": slot, "n_prompt_tokens": count} for slot, count in enumerate(tokens)]
    return answered(200, msgspec.json.encode(rows))


def second(on: Keeper) -> Playbook:
    """The first request of another session with the same head, until it holds its slot."""
    return Playbook(request({"role": "user", "content": "two"}, **HEAD), on, who("two")) << Take(1) >> taken()


def sentence(book: Playbook, cached: int) -> str:
    """What is told of a request of 3,000 tokens of which the server had so many."""
    book.commands_seen()
    verdict = book.answer_with(chat(Answer("yes"), counts=Counts(cached, 3_000 - cached, 5, 9.0))).over().verdict
    assert verdict is not None
    assert (verdict.outcome, verdict.blame, verdict.causes, verdict.expected) == ("first", "nobody", (), 0)
    return verdict.sentence


def test_a_new_session_gets_a_copy_of_the_head_of_an_idle_one() -> None:
    on = keeper(slots=4, memory="full")
    begins("one", on)
    book = second(on) << asks("/completion")
    assert completed(book) == {"prompt": "x", "n_predict": 0, "id_slot": 1}
    book >> answered(200) << asks("/slots") >> slots_hold(3_004, 1) << asks("/v1/chat/completions")
    assert "the server had 2,950 tokens of it from a copy of slot 0." in sentence(book, 2_950)
    assert on.table.clears is False
    back = Playbook(request(*said("one"), **HEAD), on, who("one")) << Take(0) >> taken() << asks("/v1/chat/completions")
    assert back.answer_with(HELLO).over().seat is not None


def said(name: str) -> list[dict[str, str]]:
    """The messages of a session's second request."""
    return [
        {"role": "user", "content": name},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "go on"},
    ]


def test_where_idle_slots_are_emptied_no_copy_is_taken_and_each_is_refilled() -> None:
    on = keeper(slots=4, memory="full")
    begins("one", on)
    book = second(on) << asks("/completion") >> answered(200) << asks("/slots") >> slots_hold(0, 1)
    book << asks("/apply-template") >> answered(200, b'{"prompt":"all of it"}') << asks("/tokenize") >> counted(60)
    book << asks("/completion")
    assert completed(book)["prompt"] == list(range(8)), "so that the request looks for no entry"
    book >> answered(200) << asks("/v1/chat/completions")
    assert "that one would lose it" in sentence(book, 8)
    back = Playbook(request(*said("one"), **HEAD), on, who("one")) << Take(0) >> taken() << asks("/completion")
    assert completed(back) == {"prompt": "x", "n_predict": 0, "id_slot": 0}
    back >> answered(200) << asks("/v1/chat/completions")
    back.answer_with(HELLO).over()
    again = Playbook(request(*said("one"), {"role": "user", "content": "?"}, **HEAD), on, who("one"))
    again << Take(0) >> taken() << asks("/v1/chat/completions")


def test_a_server_that_does_not_tell_what_is_in_its_slots_gives_no_copy() -> None:
    on = keeper(slots=4, memory="full")
    begins("one", on)
    book = second(on) << asks("/completion") >> answered(200) << asks("/slots") >> answered(501)
    book << asks("/apply-template")
    assert "the server does not say what is in a slot." in sentence(book, 0)
    assert on.table.clears is None


def test_what_is_emptied_shows_when_somebody_comes_back_after_others() -> None:
    on = keeper(slots=4)
    begins("one", on)
    begins("two", on)
    back = Playbook(request(*said("one"), **HEAD), on, who("one")) << asks("/slots") >> slots_hold(0, 3_004)
    back << Take(0) >> taken() << asks("/completion") >> answered(200) << asks("/v1/chat/completions")
    back.answer_with(HELLO).over()
    assert on.table.clears is True


def test_the_head_of_one_at_work_is_told_of() -> None:
    on = keeper(slots=4, memory="full")
    begins("one", on)
    Playbook(request(*said("one"), **HEAD), on, who("one"))
    book = second(on) << asks("/v1/chat/completions")
    said_of_it = sentence(book, 0)
    assert said_of_it.startswith("The first request of its conversation. About 2,9")
    assert said_of_it.endswith("tokens of its head stood in slot 0, that of another conversation: it was at work.")


def test_where_all_slots_are_taken_the_head_stays_as_far_as_the_server_saves_the_slot() -> None:
    on = keeper(slots=1, memory="full")
    begins("one", on)
    book = Playbook(request({"role": "user", "content": "two"}, **HEAD), on, who("two")) << Take(0) >> taken()
    book << asks("/apply-template") >> answered(200, b'{"prompt":"a long head, two"}') << asks("/slots")
    book >> slots_hold(3_004) << asks("/apply-template") >> answered(200, b'{"prompt":"a long head, one"}')
    book << asks("/tokenize") >> counted(2_900) << asks("/completion")
    assert completed(book)["prompt"] == list(range(1_352)), "0.45 of 3,005"
    book >> answered(200) << asks("/v1/chat/completions")
    assert "less than half can stay" in sentence(book, 1_352)


def test_a_first_request_whose_head_stands_nowhere_is_told_so() -> None:
    book = Playbook(request({"role": "user", "content": "two"}, **HEAD), keeper(slots=4, memory="full"), who("two"))
    assert sentence(book, 0) == "The first request of its conversation: nothing of it could be cached yet."
