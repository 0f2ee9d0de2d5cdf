"""What every rule owes its readers, and the law of fixes: a second time changes nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.prompt import Message, SystemBlock, Tool, Turn
from keepwarm.rules.api import FirstSeen, Rule
from keepwarm.rules.codes import CODES
from tests.rules.turns import Recalled, any_message, memories, system_blocks, tools, turns

SECTIONS = [
    "What it does",
    "Why it costs you",
    "Example",
    "What goes upstream instead",
    "When it is wrong to apply",
    "Source",
]
RULES = list(CODES.values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_has_its_sections_in_order_and_something_in_each(rule: Rule) -> None:
    parts = re.split(r"^## (.+)$", rule.page, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(len(body.strip()) > 10 for body in parts[2::2])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_code_is_its_family_and_a_number(rule: Rule) -> None:
    assert re.fullmatch(r"(VOL|ROL|HIS|ORD|KEY|MRK|SEA|SRV)\d{3}", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)


@given(turns, memories)
def test_a_turn_that_was_mended_needs_no_second_mending(turn: Turn, memory: Recalled) -> None:
    for rule in RULES:
        if rule.turn is not None:
            once = rule.turn(turn, memory)
            again = rule.turn(once.value, memory)
            assert (again.value, again.edits) == (once.value, ()), rule.code


@given(any_message)
def test_a_message_that_was_mended_needs_no_second_mending(message: Message) -> None:
    for rule in RULES:
        if rule.message is not None:
            once = rule.message(message)
            again = rule.message(once.value)
            assert (again.value, again.edits) == (once.value, ()), rule.code


@given(system_blocks)
def test_a_system_block_that_was_mended_loses_no_more_words(block: SystemBlock) -> None:
    """A second header right behind the first is a later line: it stays, and would be lifted if it came first."""
    for rule in RULES:
        if rule.system is not None and (once := rule.system(block)).value is not None:
            assert block.text.endswith(once.value.text) or rule.code == "VOL002"
            if rule.code == "VOL002":
                assert rule.system(once.value).edits == ()


@given(tools, tools, st.booleans())
def test_tools_that_were_mended_need_no_second_mending(
    now: tuple[Tool, ...], before: tuple[Tool, ...], hold: bool
) -> None:
    seen = FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in before), hold)
    for rule in RULES:
        if rule.tools is not None:
            once = rule.tools(now, seen)
            again = rule.tools(once.value, seen)
            assert (again.value, again.edits) == (once.value, ()), rule.code


@given(turns, memories)
def test_a_fix_without_an_edit_is_the_value_itself_or_lost_only_the_empty(turn: Turn, memory: Recalled) -> None:
    for rule in RULES:
        if rule.turn is not None and not (fix := rule.turn(turn, memory)).edits:
            kept = [message for message in turn.messages if message.role != "system"]
            if rule.code == "HIS003":  # an id alone is not listed: the model reads the same
                assert [len(message.blocks) for message in fix.value.messages] == [len(m.blocks) for m in turn.messages]
            elif fix.value is not turn:
                assert [m.blocks for m in fix.value.messages if m.role != "system"] == [m.blocks for m in kept]
