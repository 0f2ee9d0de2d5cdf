"""The table of rules: each once, under its own code, in the file of that name."""

from __future__ import annotations

from pathlib import Path

from keepwarm import rules
from keepwarm.rules.codes import CODES

FOLDER = Path(rules.__file__).parent


def test_every_rule_file_is_in_the_table_and_every_row_has_its_file() -> None:
    files = {path.stem.upper() for path in FOLDER.glob("[a-z][a-z][a-z][0-9][0-9][0-9].py")}
    assert files == CODES.keys()
    assert all(code == rule.code for code, rule in CODES.items())


def test_names_are_told_apart() -> None:
    assert len({rule.name for rule in CODES.values()}) == len(CODES)


def test_the_specific_stand_before_the_general() -> None:
    """A cause is named by the first rule that knows it."""
    order = list(CODES)
    for specific, general in (("VOL001", "VOL004"), ("VOL003", "ORD002"), ("HIS003", "HIS005"), ("ORD003", "ORD002")):
        assert order.index(specific) < order.index(general)
