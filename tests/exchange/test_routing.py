"""The way to the machine that holds a conversation: which rules have a word in it."""

from __future__ import annotations

from keepwarm.exchange.routing import Asker, Ways, find_way
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.rules.key002 import Route

ASKER = Asker("gpt-5.6", "s1", "", "l1")
WAYS = Ways("api.openai.com", headers=("x-session-id",))


def test_both_keys_are_one() -> None:
    route, edits = find_way(WAYS, rule_book(), ASKER, (("authorization", "Bearer k"),))
    ((member, key),) = route.members
    assert member == "prompt_cache_key"
    assert route.headers == (("authorization", "Bearer k"), ("x-session-id", key))
    assert [edit.code for edit in edits] == ["KEY002"]


def test_a_rule_that_is_off_adds_nothing() -> None:
    assert find_way(WAYS, rule_book(off=["KEY002"]), ASKER, ())[0].members == ()
    assert find_way(WAYS, rule_book(off=["SEA002"]), ASKER, ())[0].headers == ()
    assert find_way(WAYS, RuleBook(), ASKER, ()) == (Route(), ())


def test_what_the_client_says_itself_stands() -> None:
    route, edits = find_way(WAYS, rule_book(), ASKER, (("X-Session-Id", "mine"),), {"prompt_cache_key"})
    assert (route, edits) == (Route((), (("X-Session-Id", "mine"),)), ())


def test_the_model_that_is_asked_for_is_part_of_the_key() -> None:
    named = find_way(Ways("api.openai.com", "gpt-5.6"), rule_book(), Asker("haiku", "s1", "", ""), ())
    assert named == find_way(Ways("api.openai.com"), rule_book(), ASKER, ())
