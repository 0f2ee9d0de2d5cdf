"""What a server is asked before a request takes a slot: what is in it, whether that is saved, a copy of a head."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from keepwarm.exchange.commands import Take
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
    request,
    taken,
)
from tests.exchange.test_life_slots import HELLO, completed, counted, forked, talk


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
