"""What the requests to one server share."""

from __future__ import annotations

import json

import pytest

from keepwarm.core.events import Usage
from keepwarm.errors import ClientError
from keepwarm.exchange.keeper import Keeper, Manner, Pace
from keepwarm.rules.engine import RuleBook
from keepwarm.rules.shelf import Shelf, Table
from keepwarm.session.journal import Journal
from keepwarm.session.seat_table import SIDE, Guest
from keepwarm.testing.answers import Answer
from keepwarm.upstream.fresh_start import Tally
from tests.exchange.playbook import keeper, play, request

MAIN, OTHER, TITLE, QUOTA = (
    Guest("main", "s", "main"),
    Guest("other", "s", "subagent"),
    Guest("title", "s", SIDE),
    Guest("quota", "s", SIDE),
)


def test_a_conversation_that_kept_its_slot_was_not_moved() -> None:
    on = keeper(slots=2)
    for returning in (False, True, True):
        choice, moved = on.sit(MAIN, returning)
        assert (choice.slot, moved) == (0, "")
        on.stand_up(choice.slot)
    assert on.table.busy() == 0


def test_one_whose_slot_another_used_in_between_is_told_so() -> None:
    on = keeper(slots=1)
    for guest, returning, told in ((MAIN, False, ""), (OTHER, False, ""), (MAIN, True, "slot 0 had been another")):
        choice, moved = on.sit(guest, returning)
        assert moved.startswith(told)
        assert bool(moved) == bool(told)
        on.stand_up(choice.slot)


def test_what_is_in_a_slot_is_known_when_the_server_has_told_it() -> None:
    on = keeper(slots=1)
    for usage, tokens in ((Usage(900, None, 40), 940), (Usage(900, None, None), 900), (Usage(), 0)):
        on.stand_up(on.sit(MAIN, True)[0].slot, usage)
        assert on.table.chairs[0].tokens == tokens


def test_what_the_server_must_have_counted_is_counted_for_each_model() -> None:
    on = keeper(slots=2)
    assert on.tally("m", 0, 7.0) is None
    on.stand_up(on.sit(MAIN, False)[0].slot, Usage(900, 0, 40))
    for cached, model in ((0, "m"), (850, "m"), (0, "other")):
        on.count(model, Usage(900, cached, 40), "")
    assert on.tally("m", 0, 7.0) == Tally(requests=2, tokens=950, at=7.0, slots=(0,), slot=0)
    on.lost()
    assert on.tally("m", 0, 7.0) is None
    assert on.table.chairs[0].tokens == 0


def test_where_several_machines_answer_their_counters_say_nothing() -> None:
    on = keeper()
    for replica in ("one", "two"):
        on.count("m", Usage(900, 0, 40), replica)
    assert on.tally("m", None, 7.0) is None
    provider = keeper(manner=Manner(marks=True))
    provider.count("m", Usage(900, 0, 40), "")
    assert provider.tally("m", None, 7.0) is None


def test_side_calls_share_a_seat_and_drive_each_other_out() -> None:
    on = keeper(slots=2)
    assert on.sit(TITLE, False)[0].slot == on.sit(QUOTA, False)[0].slot == 0
    assert on.sit(TITLE, True)[1].startswith("slot 0 had been another")


def test_without_keeping_there_are_no_seats_and_each_request_has_a_journal_of_its_own() -> None:
    on = keeper(slots=4, manner=Manner(keep=False))
    assert on.table.chairs == ()
    assert on.journal is not on.journal
    assert keeper().journal is not keeper().journal


def test_seats_can_be_left_to_the_server() -> None:
    on = keeper(slots=4, manner=Manner(seats=False))
    choice, moved = on.sit(MAIN, True)
    assert (choice.slot, choice.handover, moved) == (None, "none", "")
    on.stand_up(None)
    assert on.journal is on.journal


@pytest.mark.parametrize("kind", ["llamacpp", "anthropic", "chat"])
def test_who_only_observes_rewrites_nothing_and_what_must_be_translated_is_translated(kind: str) -> None:
    on = keeper(kind, manner=Manner(observe=True))
    terms = on.terms("anthropic")
    assert terms.manner.observe == on.same_protocol("anthropic") == (kind == "anthropic")
    assert terms.books == RuleBook()
    assert (terms.lifting == RuleBook()) == (kind != "anthropic")
    assert on.kind == terms.dialect.name == kind


def test_clients_that_the_server_cannot_serve_are_told_what_to_do() -> None:
    on = keeper("anthropic", chat=False)
    with pytest.raises(ClientError, match=r"speaks Anthropic's Messages API only: .*POST /v1/messages") as caught:
        on.terms("chat")
    assert (caught.value.error_status_hint, caught.value.kind) == (404, "not_found")
    assert not on.same_protocol("chat")


@pytest.mark.parametrize("kind", ["llamacpp", "anthropic", "chat"])
def test_clients_of_chat_completions_have_their_own_bytes_at_every_server_that_takes_them(kind: str) -> None:
    on = keeper(kind, manner=Manner(observe=True))
    assert on.same_protocol("chat")
    assert on.terms("chat").manner.observe
    assert on.terms("chat").dialect.name == kind


def test_each_client_has_its_own_rules() -> None:
    """The same bytes from two programs: what one book drops, the other leaves to the model."""
    countdown = {"role": "system", "content": "<total_tokens>5 tokens left</total_tokens>"}
    body = request({"role": "user", "content": "hi"}, countdown)
    shelf = Shelf([Table("[clients.qwen-code]", "qwen-code", off=("VOL002",))])
    on = keeper(rules=shelf)
    for agent, words in (("claude-cli/2.1.114", "hi"), ("qwen-code/0.24.0", "total_tokens"), ("pi/0.73", "hi")):
        played = play(body, on, Answer("Hello."), headers={"user-agent": agent})
        said = json.dumps(played.sent()["messages"])
        assert words in said
        assert ("VOL002" in {edit.code for edit in played.over().edits}) is (words == "hi")


def test_a_client_for_whom_slots_are_switched_off_gets_none() -> None:
    on = keeper(slots=2, rules=Shelf([Table("[clients.pi]", "pi", off=("SEA001",))]))
    seats = [play(request(), on, Answer("Hello."), headers={"user-agent": agent}).over().seat for agent in ("pi/1", "")]
    assert [seat.slot for seat in seats if seat is not None] == [None, 0]
    assert on.table.busy() == 0


def test_what_a_server_caches_together_is_told_by_its_counts() -> None:
    on = keeper()
    assert [on.block(cached) for cached in (0, 384, 128, 0, 1600, 1472, 1089)] == [128, 128, 128, 128, 64, 64, 1]


def test_what_a_server_says_it_caches_together_is_known_before_it_has_counted() -> None:
    on = Keeper("anthropic", {}, RuleBook(), Journal(), Manner(), block=32)
    assert [on.block(cached) for cached in (0, 1152, 1024)] == [32, 32, 32]


# How fast the server is


def test_the_pace_is_that_of_long_prompts_and_of_late() -> None:
    pace = Pace()
    assert pace.usual is None
    assert pace.learn(100, 1_000.0) is None, "so few tokens tell the time of everything else"
    assert pace.learn(1_000, 2_000.0) == 2.0
    assert pace.usual == 2.0
    for _ in range(60):
        assert pace.learn(1_000, 500.0) == 0.5
    assert pace.usual == pytest.approx(0.5, rel=0.01)
    assert pace.learn(10, 1.0) == pace.usual
    assert pace.learn(1_000, 0.0) == pace.usual
