"""The rules in force: which they are, and that what each changed is gathered."""

from __future__ import annotations

import pytest

from keepwarm.core.answer import Answer
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Message, SystemBlock, Text, Turn
from keepwarm.errors import ConfigError
from keepwarm.rules.api import Safety
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import RuleBook, rule_book
from tests.rules.turns import COUNTDOWN, HEADER, Recalled


def codes(book: RuleBook) -> set[str]:
    return {rule.code for rule in book.rules}


@pytest.mark.parametrize("level", Safety)
def test_a_level_lets_through_what_is_as_safe_or_safer(level: Safety) -> None:
    assert codes(rule_book(level)) == {code for code, rule in CODES.items() if rule.on and rule.safety <= level}
    assert codes(rule_book(Safety.EXACT)) < codes(rule_book(Safety.ORDER)) < codes(rule_book(Safety.MEANING))


def test_one_rule_can_be_switched_off_or_on() -> None:
    assert codes(rule_book(off=["VOL002"])) == codes(rule_book()) - {"VOL002"}
    assert codes(rule_book(Safety.EXACT, on=["VOL002"])) == codes(rule_book(Safety.EXACT)) | {"VOL002"}
    assert "VOL002" not in codes(rule_book(off=["VOL002"], on=["VOL002"]))


def test_rules_keep_the_order_of_the_book() -> None:
    assert [rule.code for rule in rule_book(on=["HIS002"]).rules] == [
        code for code in CODES if code in codes(rule_book())
    ]


@pytest.mark.parametrize("words", [{"off": ["VOL999"]}, {"on": ["VOL999"]}])
def test_an_unknown_code_is_told_with_where_to_look(words: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigError, match=r"there is no rule VOL999: `keepwarm rule` lists the codes"):
        rule_book(**words)  # type: ignore[arg-type]


def test_the_system_prompt_goes_through_every_rule() -> None:
    blocks = (
        SystemBlock(HEADER, 0),
        SystemBlock(f"Be brief.\n{COUNTDOWN}", 1),
        SystemBlock(f"{HEADER}\n{COUNTDOWN}", 2),
    )
    fix = rule_book().system(blocks)
    assert [block.text for block in fix.value] == ["Be brief."]
    assert [(edit.code, edit.path) for edit in fix.edits] == [
        ("VOL001", "/system/0/text"),
        ("VOL002", "/system/1/text"),
        ("VOL001", "/system/2/text"),
        ("VOL002", "/system/2/text"),
    ]
    assert [name for name, _ in fix.metadata] == ["cc_version", "cch"] * 2


def test_a_message_and_a_turn_go_through_every_rule() -> None:
    book = rule_book()
    message = Message("user", (Text("hi"), Text(COUNTDOWN), Text("")), 4)
    fix = book.message(message)
    assert fix.value.blocks == (Text("hi"),)
    assert [edit.code for edit in fix.edits] == ["VOL002", "HIS006"]
    answer = Answer("\nYes.", "I see.")
    fixed = book.turn(Turn((Message("assistant", (Text("Yes."),), 5),)), Recalled(answer))
    assert [edit.code for edit in fixed.edits] == ["HIS002", "HIS006"]


def test_no_rules_change_nothing() -> None:
    blocks = (SystemBlock(HEADER, 0),)
    assert RuleBook().system(blocks).value == blocks
    message = Message("user", (Text(""), Text(COUNTDOWN)), 0)
    assert RuleBook().message(message).value is message


def test_a_cause_is_named_by_rules_that_are_off_as_well() -> None:
    difference = Difference("system", before=HEADER, after=HEADER.replace("0a1b2", "99999"), offset=55)
    assert RuleBook().causes(difference)[0] == "VOL001"
    assert rule_book().causes(Difference("none")) == ()
