"""A page to read: it scrolls, is made again at another width, and closes."""

from __future__ import annotations

from rich.text import Text
from textual.app import App

from keepwarm.shell.top.screens import Filter, Page
from keepwarm.views.top.ink import Paper
from tests.shell.top.stage import seen


def long(paper: Paper) -> Text:
    return Text("\n".join(f"row {number} at {paper.width}" for number in range(50)))


async def test_a_page_scrolls_and_closes() -> None:
    app: App[None] = App()
    ended: list[str | None] = []
    async with app.run_test(size=(40, 10)) as pilot:
        await app.push_screen(Page(long, ascii_only=False), ended.append)
        await pilot.pause()
        assert "row 0 at 38" in seen(app)
        await pilot.press("end")
        await pilot.pause()
        assert "row 49" in seen(app)
        await pilot.press("home", "down", "pagedown")
        await pilot.pause()
        assert "row 0 " not in seen(app)
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert "at 58" in seen(app)
        await pilot.press("d")
        await pilot.press("escape")
        await pilot.pause()
    assert ended == [None]


async def test_a_page_leads_to_another() -> None:
    app: App[None] = App()
    ended: list[str | None] = []
    async with app.run_test(size=(60, 10)) as pilot:
        await app.push_screen(Page(long, ascii_only=False, turns="dv"), ended.append)
        await pilot.pause()
        assert "d diff" in seen(app)
        await pilot.press("d")
        await pilot.pause()
    assert ended == ["d"]


async def test_a_filter_is_taken_or_left() -> None:
    app: App[None] = App()
    ended: list[str | None] = []
    async with app.run_test(size=(80, 10)) as pilot:
        await app.push_screen(Filter("old"), ended.append)
        await pilot.press("end", *" new", "enter")
        await pilot.pause()
        await app.push_screen(Filter(""), ended.append)
        await pilot.press("x", "escape")
        await pilot.pause()
    assert ended == ["old new", None]
