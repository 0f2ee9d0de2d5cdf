"""Which rules are in force for whom."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from keepwarm.core.prompt import Edit
from keepwarm.errors import ConfigError
from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.rules.shelf import Shelf, Table

OTHER = Rule("ACM001", "their-own", Safety.ORDER, "A page.")


def codes(book: RuleBook) -> set[str]:
    return {rule.code for rule in book.rules}


def test_without_a_word_it_is_the_book_as_it_is_printed() -> None:
    assert Shelf().book("claude-cli/2.1.114").rules == rule_book().rules


def test_the_last_word_on_a_level_counts_and_what_is_switched_adds_up() -> None:
    shelf = Shelf(
        [
            Table("[rules]", off=("VOL002",), level=Safety.ORDER),
            Table("[upstream.rules]", off=("ROL001",)),
            Table("[clients.qwen-code]", "qwen-code", Safety.EXACT, on=("VOL002", "ROL001"), off=("HIS006",)),
        ]
    )
    everybody = {code for code, rule in CODES.items() if rule.on and rule.safety <= Safety.ORDER}
    exact = {code for code, rule in CODES.items() if rule.on and rule.safety == Safety.EXACT}
    assert codes(shelf.book("claude-cli/2.1.114")) == everybody - {"VOL002", "ROL001"}
    assert codes(shelf.book("qwen-code/0.24.0")) == exact - {"HIS006"} | {"VOL002", "ROL001"}


def test_in_one_table_off_wins() -> None:
    assert "VOL002" not in codes(Shelf([Table("[rules]", on=("VOL002",), off=("VOL002",))]).book(""))


@pytest.mark.parametrize(
    ("pattern", "client", "fits"),
    [
        ("", "", True),
        ("", "claude-cli/2.1.39", True),
        ("claude-cli", "claude-cli/2.1.39", True),
        ("Claude-CLI", "claude-cli/2.1.39", True),
        ("claude-cli", "claude-cli", True),
        ("claude", "claude-cli/2.1.39", False),
        ("claude-*", "claude-cli/2.1.39", True),
        ("claude-cli/2.1.39*", "claude-cli/2.1.39", True),
        ("claude-cli/2.1.39*", "claude-cli/2.1.4", False),
        ("anthropic/python", "Anthropic/Python/2.12.0", True),
        ("opencode", "", False),
    ],
)
def test_whom_a_name_fits(pattern: str, client: str, fits: bool) -> None:
    assert Table("t", pattern).fits(client) is fits


def test_the_name_that_says_most_has_the_last_word_whatever_the_order_of_the_file() -> None:
    tables = [
        Table("a", "claude-cli/2.1.39*", off=("VOL001",)),
        Table("b", "claude-cli", on=("VOL001",), off=("VOL002",)),
        Table("c", "claude-*", on=("VOL002",)),
        Table("d", "claude-cli*", on=("VOL002",), off=("VOL001",)),
    ]
    for rows in (tables, tables[::-1]):
        shelf = Shelf(rows)
        assert {"VOL001", "VOL002"} & codes(shelf.book("claude-cli/2.1.114")) == {"VOL001"}
        assert {"VOL001", "VOL002"} & codes(shelf.book("claude-cli/2.1.39")) == set()
        assert {"VOL001", "VOL002"} & codes(shelf.book("claude-code")) == {"VOL001", "VOL002"}
        assert shelf.clients == ("claude-*", "claude-cli*", "claude-cli", "claude-cli/2.1.39*")


def test_a_code_that_no_rule_has_is_told_with_its_table_and_its_setting() -> None:
    with pytest.raises(ConfigError, match=r"\[clients.qwen-code\] off: there is no rule VOL999: `keepwarm rule` lists"):
        Shelf([Table("[clients.qwen-code]", "qwen-code", off=("VOL001", "VOL999"))])
    with pytest.raises(ConfigError, match=r"\[rules\] on: there is no rule ACM001"):
        Shelf([Table("[rules]", on=("ACM001",))])
    assert "ACM001" not in codes(Shelf([Table("[rules]", off=("ACM001",))], [OTHER]).book(""))


def test_rules_of_others_run_behind_our_own_and_are_noted_with_their_safety() -> None:
    book = Shelf(others=[OTHER]).book("")
    assert book.rules == (*rule_book().rules, OTHER)
    assert book.note(Edit("ACM001", "/x", "ab", "ac")).safety == "order"


def test_a_book_is_made_once_for_each_client_and_strangers_do_not_pile_up() -> None:
    shelf = Shelf()
    assert shelf.book("a") is shelf.book("a")
    for number in range(1000):
        shelf.book(f"client/{number}")
    assert len(shelf._books) <= 256


def test_only_books_that_read_a_message_in_another_way_have_another_mark() -> None:
    tables = [Table("a", "a", off=("VOL002",)), Table("b", "b", off=("HIS002",))]
    shelf = Shelf(tables)
    assert shelf.book("").mark == shelf.book("b").mark != shelf.book("a").mark


def test_tools_are_held_back_only_for_whom_it_is_asked() -> None:
    tables = [Table("[rules]", hold_tools=True), Table("c", "qwen-code", hold_tools=False)]
    shelf = Shelf(tables)
    assert [shelf.book(client).hold_tools for client in ("", "qwen-code/0.2")] == [True, False]
    assert not Shelf([replace(tables[0], hold_tools=None)]).book("").hold_tools
