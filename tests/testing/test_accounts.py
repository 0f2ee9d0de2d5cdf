"""The arithmetic of ideals, on a real engine and on made-up exchanges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.testing.accounts import account, conversation_name
from keepwarm.testing.scripted import Exchange
from tests.testing.conftest import EngineFor
from tests.testing.conversation import Conversation, serving

TOOLS = [{"name": "Bash"}]


def exchange(words: str, prompt: int, cached: int, held: int, tools: bool = True) -> Exchange:
    """A made-up request that opens with `words`."""
    body = {"messages": [{"role": "user", "content": words}], "tools": TOOLS if tools else []}
    return Exchange(
        body=json.dumps(body).encode(),
        stream=True,
        status=200,
        prompt="",
        prompt_tokens=prompt,
        cached_tokens=cached,
        prefilled_tokens=prompt - cached,
        prompt_ms=0.0,
        generated_tokens=held - prompt + 1,
        held_tokens=held,
        fed_tokens=held - prompt,
        slot=0,
        answer=None,
        fault=None,
        cancelled=False,
    )


def test_the_first_request_pays_for_all_and_each_later_one_for_what_is_behind_the_answer() -> None:
    books = account([exchange("a", 100, 0, 110), exchange("a", 130, 110, 150), exchange("a", 151, 110, 160)])
    (talk,) = books.conversations
    assert [step.ideal for step in talk.steps] == [100, 20, 1]
    assert [step.prefilled for step in talk.steps] == [100, 20, 41]
    assert (books.ideal, books.prefilled, books.requests, books.prompt_tokens) == (121, 161, 3, 381)


def test_conversations_are_told_apart_whatever_slot_they_sit_in() -> None:
    books = account([exchange("a", 100, 0, 110), exchange("b", 50, 0, 60), exchange("a", 115, 10, 120)])
    assert [(talk.name, talk.ideal, talk.prefilled) for talk in books.conversations] == [("a", 105, 205), ("b", 50, 50)]
    assert books.by_name("b").steps[0].exchange.prompt_tokens == 50


def test_a_request_without_tools_is_aside_even_when_it_quotes_a_marker() -> None:
    books = account([exchange("do it SCRIPT one", 100, 0, 110), exchange("Title: SCRIPT one", 30, 0, 35, tools=False)])
    assert [talk.name for talk in books.conversations] == ["one", "aside: one"]


def test_the_same_side_call_of_two_sessions_is_two_conversations() -> None:
    asked = exchange("Output: a", 300, 0, 310, tools=False)
    books = account([asked, exchange("Output: a", 300, 280, 310, tools=False)])
    assert [(talk.name, talk.ideal) for talk in books.conversations] == [
        ("aside: Output: a", 300),
        ("aside: Output: a (2)", 300),
    ]


def test_a_conversation_that_is_asked_again_stays_one() -> None:
    books = account([exchange("a", 300, 0, 310), exchange("a", 300, 299, 310)])
    assert [talk.ideal for talk in books.conversations] == [301]


def test_a_rewritten_history_is_paid_for_from_the_place_where_it_was_rewritten() -> None:
    books = account([exchange("a", 100, 0, 110), exchange("a", 90, 40, 95), exchange("a", 99, 95, 100)], {1: 40})
    assert [step.ideal for step in books.conversations[0].steps] == [100, 50, 4]


def test_a_prompt_that_became_shorter_still_costs_its_last_token() -> None:
    books = account([exchange("a", 100, 0, 110), exchange("a", 90, 0, 95)])
    assert [step.ideal for step in books.conversations[0].steps] == [100, 1]


def test_what_the_engine_never_saw_is_in_no_sum() -> None:
    assert account([exchange("a", 0, 0, 0)]).conversations == ()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Write it. SCRIPT alphaone", "alphaone"),
        (
            [{"type": "text", "text": "a reminder"}, {"type": "text", "text": "SCRIPT two, then SCRIPT three"}],
            "two",
        ),
        ([{"type": "text", "text": "Command: ls\n"}, {"type": "text", "text": "Output: a"}], "Command: ls Output: a"),
    ],
)
def test_a_name_is_the_first_marker_or_else_the_first_words(content: Any, name: str) -> None:
    messages = [{"role": "system", "content": "SCRIPT system"}, {"role": "user", "content": content}]
    assert conversation_name({"messages": messages, "tools": TOOLS}) == name


def test_a_body_without_messages_has_an_empty_name() -> None:
    assert conversation_name({}) == "aside: "


async def test_a_client_that_only_appends_costs_the_ideal_on_a_real_engine(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        before = await server.engine_prompt_tokens()
        conversation = Conversation(server, "a bookkeeper of the accounts", id_slot=1)
        for _ in range(3):
            await conversation.turn()
        books = account(server.exchanges)
        processed = await server.engine_prompt_tokens() - before
        assert books.requests == 3
        assert books.prefilled == processed - server.fed_total
        # The slot may have held the first words of another test's prompt: that is all that can be cheaper.
        assert [step.prefilled for step in books.conversations[0].steps[1:]] == [
            step.ideal for step in books.conversations[0].steps[1:]
        ]
        assert books.prefilled <= books.ideal


async def test_a_client_that_rewrites_an_answer_costs_more_than_the_ideal(engine_for: EngineFor) -> None:
    async with serving(engine_for) as server:
        conversation = Conversation(server, "a forger of the accounts", id_slot=1)
        await conversation.turn()
        conversation.messages[2]["content"] = "I never looked."
        await conversation.turn()
        step = account(server.exchanges).conversations[0].steps[1]
        assert step.prefilled > step.ideal + 20
