"""The demo's tables show what was measured, and say what was left out."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from keepwarm.testing.demo_play import DemoResult
from keepwarm.testing.demo_table import closing_line, result_tables, sparkline
from tests.testing.demo_figures import made_up


def shown(result: DemoResult) -> str:
    """The tables as text."""
    page = io.StringIO()
    Console(width=120, file=page).print(result_tables(result))
    return page.getvalue()


def test_the_table_shows_what_was_measured() -> None:
    text = shown(made_up())
    rows = {line.split("│")[1].strip(): line for line in text.splitlines() if "│" in line}
    assert "3 times in 3 turns" in rows["System prompt and tools processed"]
    assert "once in 3 turns" in rows["System prompt and tools processed"]
    assert "1,240" in rows["Tokens prefilled per turn, later (median)"]
    assert "110" in rows["Tokens prefilled per turn, later (median)"]
    assert "12.40 s" in rows["First token after, later turns (median)"]
    assert "1.10 s" in rows["First token after, later turns (median)"]
    assert "100 → 120 MiB (peak 150)" in rows["Engine memory, before and after"]
    assert "7.6 s" in rows["Engine time for prompts"]
    assert "3,780" in rows["Tokens prefilled in all"]
    assert "1,520" in rows["Tokens prefilled in all"]
    assert "1.00" in rows["times the append-only ideal"]
    assert "2.5 times fewer" in closing_line(made_up())


def test_the_table_says_when_the_straight_side_was_stopped() -> None:
    stopped = msgspec.structs.replace(made_up(), requests=9)
    assert "the first 4 of 9 requests" in closing_line(stopped)
    assert "too slow" not in closing_line(made_up())


def test_a_sparkline_has_a_bar_for_each_value() -> None:
    assert sparkline([0, 50, 100], 100) == "▁▅█"
    assert sparkline([0.0], 0) == "▁"
