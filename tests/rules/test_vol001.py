"""The billing line: lifted wherever a client can put it, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Message, SystemBlock, Turn
from keepwarm.rules.engine import rule_book
from keepwarm.rules.vol001 import lift, names
from tests.rules.turns import HEADER, NOTHING, any_message, asked_turns, said

fields = st.lists(
    st.tuples(
        st.from_regex(r"cc?[a-z0-9_]{0,8}", fullmatch=True), st.from_regex(r"[0-9A-Za-z.,-]{0,12}", fullmatch=True)
    ),
    min_size=1,
    max_size=17,
)
rests = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() and text[0] not in "\r\n")


def cased(name: str, choices: list[bool]) -> str:
    return "".join(c.upper() if up else c for c, up in zip(name, choices, strict=True))


@given(
    fields,
    rests,
    st.sampled_from(["", " ", "\n", "\t\n "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.booleans(), min_size=26, max_size=26),
    st.booleans(),
)
def test_exactly_the_line_and_one_line_break_go(
    values: list[tuple[str, str]], rest: str, lead: str, line_break: str, ups: list[bool], closed: bool
) -> None:
    name = cased("x-anthropic-billing-header", ups)
    row = "; ".join(f"{key}={value}" for key, value in values) + (";" if closed else "")
    fix = lift(SystemBlock(f"{lead}{name}: {row}{line_break}{rest}", 0))
    assert fix.value is not None
    assert fix.value.text == rest
    assert list(fix.metadata) == [(key.lower(), value) for key, value in values]
    assert fix.edits[0].before + rest == f"{lead}{name}: {row}{line_break}{rest}"


@given(rests)
def test_no_other_text_is_touched(rest: str) -> None:
    for text in (rest, f"{rest}\n{HEADER}", f"{rest} {HEADER}", f"> {HEADER}"):
        block = SystemBlock(text, 0)
        if not text.strip().lower().startswith("x-anthropic-billing-header"):
            assert lift(block).value is block


@given(any_message, asked_turns)
@example(Message("user", (), 0), Turn(()))
def test_user_content_that_quotes_it_arrives_untouched(message: Message, turn: Turn) -> None:
    book = rule_book()
    for before in (Turn((message,)), turn):
        fixed = tuple(book.message(one).value for one in before.messages)
        after = said(book.turn(Turn(fixed), NOTHING).value) if fixed else ""
        assert after.count(HEADER) == said(before).count(HEADER)


def test_only_a_block_that_holds_nothing_else_goes_whole() -> None:
    assert lift(SystemBlock(f"{HEADER}\n \n", 0)).value is None
    kept = lift(SystemBlock(f"{HEADER}\n\nBe brief.", 3))
    assert kept.value == SystemBlock("\nBe brief.", 3)
    assert kept.edits[0].path == "/system/3/text"


@pytest.mark.parametrize(
    ("after", "offset", "expected"),
    [
        (HEADER.replace("0a1b2", "fffff"), len(HEADER) - 6, True),
        ("You are an agent.", 0, True),  # the line came or went
        (f"You are an agent.\n{HEADER}", 30, True),
    ],
)
def test_it_is_named_where_texts_part_inside_a_billing_line(after: str, offset: int, expected: bool) -> None:
    assert names(Difference("system", before=HEADER, after=after, offset=offset)) is expected


def test_it_is_not_named_elsewhere() -> None:
    two = f"{HEADER}\nYou are an agent."
    assert not names(Difference("system", before=two, after=f"{HEADER}\nYou are a bot.", offset=len(HEADER) + 11))
    assert not names(Difference("turn", before=HEADER, after="", offset=0))
