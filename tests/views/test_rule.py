"""`keepwarm rule`, as it reads."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from keepwarm.errors import ConfigError
from keepwarm.rules.api import Fix, Rule, Safety
from keepwarm.rules.codes import CODES
from keepwarm.rules.shelf import Shelf, Table
from keepwarm.views.rule import Entry, RuleList, markdown, print_rule
from tests.views.screens import Screen


@pytest.mark.parametrize("code", CODES)
def test_every_rule_prints_its_page_to_a_pipe_as_it_stands(code: str) -> None:
    screen = Screen(width=40)
    print_rule(code.lower(), screen.console)
    assert screen.text().startswith(f"# {code} {CODES[code].name}\n")
    lines = [line.rstrip() for line in CODES[code].page.strip().splitlines()]
    assert screen.text().splitlines()[-len(lines) :] == lines


def test_a_terminal_gets_it_laid_out() -> None:
    file = io.StringIO()
    print_rule("VOL001", Console(file=file, width=80, force_terminal=True))
    assert "## What it does" not in file.getvalue()
    assert "What it does" in file.getvalue()


def test_a_terminal_that_is_not_utf8() -> None:
    screen = Screen(encoding="ascii")
    print_rule("VOL001", screen.console)
    assert "## What it does" in screen.text()


def test_without_a_code_all_are_listed() -> None:
    screen = Screen(width=120)
    print_rule(None, screen.console)
    listed = [line.split() for line in screen.text().splitlines()[1:-1]]
    assert [cells[0] for cells in listed] == list(CODES)
    states = {cells[0]: " ".join(cells[3:]) for cells in listed}
    assert (states["VOL001"], states["SEA001"], states["SRV001"]) == ("on", "on", "names only")


def test_what_is_configured_is_shown_for_everybody_and_for_whom_it_differs() -> None:
    shelf = Shelf(
        [Table("[rules]", off=("VOL001", "SRV001")), Table("[clients.pi]", "pi", Safety.EXACT, on=("VOL001",))]
    )
    screen = Screen(width=120)
    print_rule(None, screen.console, RuleList(shelf))
    states = {line.split()[0]: " ".join(line.split()[3:]) for line in screen.text().splitlines()[1:-1]}
    assert states["VOL001"] == "off, on for pi"
    assert states["VOL002"] == "on, off for pi"
    assert (states["HIS002"], states["SRV001"]) == ("on", "names only")
    screen = Screen(width=120)
    print_rule(None, screen.console, RuleList(shelf, rewrite=False))
    assert screen.text().count("names only") == len(CODES)


def test_a_rule_of_somebody_else_is_listed_with_who_brought_it_and_what_was_left_out_below() -> None:
    other = Rule("ACM001", "their-own", Safety.ORDER, "## What it does\nNothing.", on=False, tools=lambda t, _: Fix(t))
    rules = RuleList(Shelf(others=[other]), sources={"ACM001": "acme-rules 1.2"}, refused=["acme-rules 1.2: left out"])
    screen = Screen(width=120)
    print_rule(None, screen.console, rules)
    lines = screen.text().splitlines()
    assert lines[-3].split(maxsplit=4) == ["ACM001", "their-own", "order", "off", "acme-rules 1.2"]
    assert lines[-1] == "acme-rules 1.2: left out"
    assert lines[1].split()[-1] == "keepwarm"
    screen = Screen(width=120)
    print_rule("acm001", screen.console, rules)
    assert "not applied unless it is switched on. From acme-rules 1.2." in screen.text()


def test_as_json() -> None:
    rules = RuleList(Shelf([Table("[clients.pi]", "pi", off=("VOL001",))]))
    screen = Screen(width=40)
    print_rule(None, screen.console, rules, as_json=True)
    entries = msgspec.json.decode(screen.text(), type=list[Entry])
    assert [entry.code for entry in entries] == list(CODES)
    assert entries[0] == Entry("VOL001", "billing-header", "exact", "on", {"pi": "off"}, "keepwarm")
    screen = Screen(width=40)
    print_rule("VOL001", screen.console, rules, as_json=True)
    assert msgspec.json.decode(screen.text(), type=Entry).page == markdown(CODES["VOL001"])


def test_an_unknown_code_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no rule 'VOL999'; there are VOL001, "):
        print_rule("VOL999", Screen().console)
