"""For each cause: why it costs, and what to change."""

from __future__ import annotations

from keepwarm.rules.codes import CODES
from keepwarm.views.report.advice import advice

ALL = frozenset(CODES)


def test_every_rule_has_something_to_do_and_why() -> None:
    for code in CODES:
        said = advice(code, CODES, ALL)
        assert said.name == CODES[code].name
        assert said.why
        assert said.does
        assert said.steps
        assert f"keepwarm rule {code}" in said.steps[-1]
        assert "\n" not in f"{said.why}{said.does}{said.steps}"


def test_a_rule_that_is_off_is_to_be_switched_on_first() -> None:
    assert advice("VOL002", CODES, ALL - {"VOL002"}).steps[0].startswith('Switch the rule on: `on = ["VOL002"]`')
    assert "Switch" not in " ".join(advice("HIS005", CODES, frozenset()).steps), "it has no switch"


def test_the_header_is_mended_by_a_setting() -> None:
    assert "CLAUDE_CODE_ATTRIBUTION_HEADER=0" in advice("VOL001", CODES, ALL).steps[0]


def test_causes_that_no_rule_knows() -> None:
    assert advice("", CODES, ALL).name == "no rule knows this cause"
    assert "keepwarm explain" in advice("ACM001", CODES, ALL).steps[0]
