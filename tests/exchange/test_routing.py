"""The way to the machine that holds a conversation: which rules have a word in it."""

from __future__ import annotations

import msgspec

from keepwarm.exchange.commands import Open
from keepwarm.exchange.keeper import Manner
from keepwarm.exchange.routing import Asker, Ways, find_way
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.rules.key002 import Route
from tests.exchange.playbook import Playbook, keeper

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


def test_a_chat_client_that_names_its_conversation_is_not_renamed() -> None:
    on = keeper("chat", manner=Manner(ways=WAYS))
    said = {"model": "gpt-5.6", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    for key, added in (("mine", False), (None, True)):
        body = msgspec.json.encode(said if key is None else said | {"prompt_cache_key": key})
        played = Playbook(body, on, front="chat")
        (opening,) = [command for command in played.commands if isinstance(command, Open)]
        sent = msgspec.json.decode(opening.request.body)
        assert (sent["prompt_cache_key"] == "mine") is not added
        assert opening.request.body.startswith(body[:-1])
        record = played.answer_with(b"{}").over()
        assert ("KEY002" in {edit.code for edit in record.edits}) is added
