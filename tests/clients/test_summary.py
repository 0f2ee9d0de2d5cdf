"""The closing table: lines are merged by cell, and read as they stand."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec

from tests.clients.summary import PROPERTY, Row, handed_in, markdown, merged

KEPT = Row("2.1.114", "dated", 4, "two turns", requests=10, prompt_tokens=270_000, ideal=26_000, prefilled=26_130)
STRAIGHT = msgspec.structs.replace(KEPT, requests=11, ideal=25_000, prefilled=None, straight=250_000)
OTHER = Row("2.1.39", "dated", 1, "two turns", requests=12, prompt_tokens=9_000, ideal=1_000, prefilled=1_500)


def test_a_cell_played_both_ways_is_one_line_with_the_figures_of_its_way_through_keepwarm() -> None:
    wanted = msgspec.structs.replace(KEPT, straight=250_000)
    assert merged([KEPT, STRAIGHT]) == merged([STRAIGHT, KEPT]) == merged([STRAIGHT, KEPT, KEPT]) == [wanted]


def test_a_cell_played_straight_only_keeps_its_line() -> None:
    assert merged([STRAIGHT, OTHER]) == [STRAIGHT, OTHER]


def test_the_table_reads_as_it_stands() -> None:
    heading, rule, first, second, *_ = markdown([OTHER, STRAIGHT, KEPT]).splitlines()
    assert len({len(line) for line in (heading, rule, first, second)}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (first, second)]
    assert cells == [
        ["2.1.114", "dated", "4", "two turns", "10", "270,000", "26,000", "26,130", "1.0050", "250,000", "9.62"],
        ["2.1.39", "dated", "1", "two turns", "12", "9,000", "1,000", "1,500", "1.5000", "", ""],
    ]


def test_rows_travel_as_properties_of_reports() -> None:
    reports = [
        SimpleNamespace(user_properties=[("other", 1), (PROPERTY, msgspec.to_builtins(KEPT))]),
        SimpleNamespace(user_properties=[]),
        SimpleNamespace(message="a warning is no report"),
    ]
    assert handed_in(reports) == [KEPT]
