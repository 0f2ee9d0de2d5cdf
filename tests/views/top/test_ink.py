"""Lines in the making: never too wide, in ASCII where it must be; the window follows the cursor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from keepwarm.views.top.ink import Paper, marked, window

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.lists(TEXTS, max_size=5), st.integers(1, 120), st.booleans())
def test_a_line_fits_and_is_one_line(parts: list[str], width: int, ascii_only: bool) -> None:
    line = Paper(width, ascii_only).line(*((part, "red") for part in parts))
    assert line.cell_len <= width
    assert line.plain.isprintable()
    assert line.plain.isascii() or not ascii_only


@given(st.lists(st.text("ab", min_size=1, max_size=9), max_size=30), st.integers(24, 90), st.integers(1, 4))
def test_cells_flow_and_none_is_forgotten(cells: list[str], width: int, most: int) -> None:
    lines = Paper(width).flow([Text(cell) for cell in cells], most)
    assert len(lines) <= most
    assert all(line.cell_len <= width for line in lines)
    said = " ".join(line.plain for line in lines).split()
    more = int(said[-2].removeprefix("+")) if said and said[-1] == "more" else 0
    shown = said[:-2] if more else said
    assert shown == cells[: len(shown)]
    assert len(shown) + more == len(cells)


@given(st.integers(0, 500), st.integers(0, 499), st.integers(0, 600), st.integers(1, 60))
def test_the_cursor_is_always_seen(count: int, cursor: int, top: int, height: int) -> None:
    cursor = min(cursor, max(0, count - 1))
    first = window(count, cursor, top, height)
    assert 0 <= first <= max(0, count - 1)
    assert first <= cursor < first + height


def test_the_window_moves_no_more_than_it_must() -> None:
    assert window(100, 12, 10, 5) == 10
    assert window(100, 15, 10, 5) == 11
    assert window(100, 9, 10, 5) == 9
    assert window(3, 0, 50, 5) == 0


def test_the_cursor_is_a_sign() -> None:
    lines = marked([Text("one"), Text("two")], 1)
    assert [line.plain for line in lines] == ["  one", "> two"]
    assert [line.plain for line in marked([Text("one")], None)] == ["  one"]
