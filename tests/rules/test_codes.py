"""The rule book as a table: each rule once, each with a page that says all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm import rules
from keepwarm.rules.codes import CODES

FOLDER = Path(rules.__file__).parent
SECTIONS = ("## What it does", "## Why it costs you", "## Example", "## What goes upstream instead",
            "## When it is wrong to apply", "## Source")  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_each_page_has_every_section_once_and_in_order(code: str) -> None:
    page = CODES[code].page
    places = [page.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert all(page.count(section) == 1 for section in SECTIONS)


def test_a_kind_of_change_is_undone_by_one_rule() -> None:
    kinds = [kind for rule in CODES.values() for kind in rule.keeps]
    assert len(kinds) == len(set(kinds))


def test_every_rule_file_is_in_the_table_and_every_row_has_its_file() -> None:
    files = {path.stem.upper() for path in FOLDER.glob("[a-z][a-z][a-z][0-9][0-9][0-9].py")}
    assert files == CODES.keys()
    assert all(code == rule.code for code, rule in CODES.items())


def test_names_are_said_once() -> None:
    assert len({rule.name for rule in CODES.values()}) == len(CODES)
