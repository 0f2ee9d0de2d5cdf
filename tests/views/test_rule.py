"""`keepwarm rule`, as it reads."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from keepwarm.errors import ConfigError
from keepwarm.rules.codes import CODES
from keepwarm.views.rule import print_rule
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
    listed = [line.split() for line in screen.text().splitlines()[1:]]
    assert [cells[0] for cells in listed] == list(CODES)
    does = {cells[0]: cells[3] for cells in listed}
    assert (does["VOL001"], does["SEA001"], does["SRV001"]) == ("mends", "mends", "names")


def test_an_unknown_code_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no rule 'VOL999'; there are VOL001, "):
        print_rule("VOL999", Screen().console)
