"""The screens that open over the lists: a page to read, and the line for a filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.console import RenderableType
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from keepwarm.views.top.ink import Paper

_FOOT = "Esc back  d diff  v verdict  up down Page Up Page Down"


class Page(ModalScreen[str | None]):
    """Something to read. It ends with None, or with the letter of the page that is wanted instead.

    draw   makes it for a width
    turns  letters that lead to other pages
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "close"),
        Binding("d,v", "turn"),
        Binding("up,k", "scroll(-1)"),
        Binding("down,j", "scroll(1)"),
        Binding("pageup,b", "scroll_page(-1)"),
        Binding("pagedown,space", "scroll_page(1)"),
        Binding("home,g", "scroll(-1000000)"),
        Binding("end,G", "scroll(1000000)"),
    ]

    def __init__(self, draw: Callable[[Paper], RenderableType], *, ascii_only: bool, turns: str = "") -> None:
        super().__init__()
        self._draw = draw
        self._ascii = ascii_only
        self._turns = turns

    def compose(self) -> ComposeResult:
        """The page, and what the keys do."""
        with VerticalScroll(can_focus=False):
            yield Static(id="page", markup=False)
        yield Static(_FOOT if self._turns else "Esc back", id="foot", markup=False)

    def on_mount(self) -> None:
        """Make it."""
        self._show()

    def on_resize(self) -> None:
        """Make it again."""
        self._show()

    def _show(self) -> None:
        paper = Paper(max(20, self.app.size.width - 2), self._ascii)
        self.query_one("#page", Static).update(self._draw(paper))

    def key_d(self) -> None:
        """To the diff."""
        if "d" in self._turns:
            self.dismiss("d")

    def key_v(self) -> None:
        """To the verdict."""
        if "v" in self._turns:
            self.dismiss("v")

    def action_turn(self) -> None:
        """The letters are read by `key_d` and `key_v`."""

    def action_close(self) -> None:
        """Back to the lists."""
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        """Some lines further."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_scroll_page(self, by: int) -> None:
        """A screen further."""
        self.query_one(VerticalScroll).scroll_relative(y=by * max(1, self.app.size.height - 4), animate=False)


class Filter(ModalScreen[str | None]):
    """A word that sessions must contain; None when nothing is to change."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close")]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        """The line."""
        yield Static("Sessions with (name, client, model); Enter takes it, empty shows all:", markup=False)
        yield Input(self._words, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """It is taken."""
        self.dismiss(event.value.strip())

    def action_close(self) -> None:
        """Nothing changes."""
        self.dismiss(None)
