"""The list with a cursor: it stays on its key, follows what is new at the top, and knows the mouse."""

from __future__ import annotations

from rich.text import Text
from textual.app import App, ComposeResult

from keepwarm.shell.top.rows import Rows
from tests.shell.top.stage import seen


class Lists(App[None]):
    """One list, and what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows(
            lambda paper: paper.line("head"), lambda key, paper: Text(f"line {key}"), ascii_only=False, name="it"
        )
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.rows

    def on_rows_chosen(self, message: Rows.Chosen) -> None:
        self.chosen.append(message.key)


def keys(*numbers: int) -> tuple[str, ...]:
    return tuple(map(str, numbers))


async def test_keys_move_the_cursor_and_the_window() -> None:
    app = Lists()
    async with app.run_test(size=(30, 6)) as pilot:
        app.rows.focus()
        app.rows.show(keys(*range(100)))
        for pressed, current in (
            ("down", "1"), ("j", "2"), ("k", "1"), ("up", "0"), ("up", "0"), ("pagedown", "4"), ("end", "99"),
            ("pageup", "95"), ("home", "0"),
        ):  # fmt: skip
            await pilot.press(pressed)
            await pilot.pause()
            assert app.rows.current == current
            assert f"> line {current}" in seen(app)
        await pilot.press("enter")
        await pilot.pause()
        assert app.chosen == ["0"]


async def test_the_cursor_stays_on_its_key_except_at_the_top() -> None:
    app = Lists()
    async with app.run_test(size=(30, 6)) as pilot:
        app.rows.focus()
        app.rows.show(keys(3, 2, 1))
        app.rows.show(keys(4, 3, 2, 1))
        assert app.rows.current == "4", "at the top it sees what is new"
        await pilot.press("down")
        app.rows.show(keys(5, 4, 3, 2, 1))
        assert app.rows.current == "3"
        app.rows.show(keys(5, 1))
        assert app.rows.current == "5", "its line is gone"
        app.rows.show(())
        assert app.rows.current is None
        await pilot.press("enter", "down")
        assert app.chosen == []


async def test_the_mouse() -> None:
    app = Lists()
    async with app.run_test(size=(30, 6)) as pilot:
        app.rows.show(keys(*range(9)))
        await pilot.click("#it", offset=(3, 3))
        await pilot.pause()
        assert app.rows.current == "2"
        await pilot.click("#it", offset=(3, 3))
        await pilot.pause()
        assert app.chosen == ["2"]
        await pilot.click("#it", offset=(3, 0))
        assert app.rows.current == "2", "the heading is no line"
        app.rows.show(keys(0))
        await pilot.click("#it", offset=(3, 4))
        assert app.rows.current == "0"


async def test_without_the_focus_there_is_no_cursor() -> None:
    app = Lists()
    async with app.run_test(size=(30, 6)) as pilot:
        app.rows.show(keys(1))
        app.set_focus(None)
        await pilot.pause()
        assert "> " not in seen(app)
