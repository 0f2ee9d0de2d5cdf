"""A list of lines with a cursor: each line is made at the width there is, and the cursor is a sign, not a colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Blur, Click, Focus, MouseScrollDown, MouseScrollUp
from textual.message import Message
from textual.widget import Widget

from keepwarm.views.top.ink import Paper, marked, window

Draw = Callable[[str, Paper], Text]
"""Makes the line of a key."""


class Rows(Widget, can_focus=True):
    """Lines by keys. The cursor stays on its key when others come and go.

    heading  makes the line above them
    draw     makes one of them
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup,ctrl+b", "move_page(-1)"),
        Binding("pagedown,ctrl+f", "move_page(1)"),
        Binding("home,g", "move(-1000000)"),
        Binding("end,G", "move(1000000)"),
        Binding("enter", "choose"),
    ]

    class Moved(Message):
        """The cursor is on another key."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

    class Chosen(Message):
        """Enter, or a click on the line of the cursor."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

    def __init__(self, heading: Callable[[Paper], Text], draw: Draw, *, ascii_only: bool, name: str) -> None:
        super().__init__(id=name)
        self._heading = heading
        self._draw = draw
        self._ascii = ascii_only
        self._keys: tuple[str, ...] = ()
        self._cursor = 0
        self._top = 0

    @property
    def current(self) -> str | None:
        """The key that the cursor is on."""
        return self._keys[self._cursor] if self._keys else None

    def show(self, keys: Sequence[str]) -> None:
        """These lines from now on. At the first line the cursor stays there, so that it sees what is new."""
        before = self.current
        self._keys = tuple(keys)
        stays = self._cursor > 0 and before in self._keys
        self._cursor = self._keys.index(before) if stays and before is not None else 0
        self.refresh()
        if self.current != before:
            self.post_message(self.Moved(self))

    def render(self) -> Text:
        """The heading and the lines that there is room for."""
        paper = Paper(self.size.width, self._ascii)
        height = max(0, self.size.height - 1)
        self._top = window(len(self._keys), self._cursor, self._top, height)
        shown = self._keys[self._top : self._top + height]
        cursor = self._cursor - self._top if self.has_focus else None
        return Text("\n").join(
            [self._heading(paper), *marked([self._draw(key, paper) for key in shown], cursor, paper.width)]
        )

    def action_move(self, by: int) -> None:
        """The cursor some lines further."""
        place = max(0, min(len(self._keys) - 1, self._cursor + by))
        if place != self._cursor:
            self._cursor = place
            self.refresh()
            self.post_message(self.Moved(self))

    def seek(self, wanted: Callable[[str], bool]) -> None:
        """The cursor on the next line of which `wanted` holds; from the last one on it begins at the first again."""
        count = len(self._keys)
        for step in range(1, count + 1):
            place = (self._cursor + step) % count
            if wanted(self._keys[place]):
                self.action_move(place - self._cursor)
                return

    def action_move_page(self, by: int) -> None:
        """The cursor a screen further."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_choose(self) -> None:
        """The line of the cursor is chosen."""
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current))

    def on_click(self, event: Click) -> None:
        """A click moves the cursor; one on the cursor chooses."""
        place = self._top + event.y - 1
        if not 0 <= place < len(self._keys) or event.y < 1:
            return
        if place == self._cursor:
            self.action_choose()
        else:
            self.action_move(place - self._cursor)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The wheel moves the cursor."""
        self.action_move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The wheel moves the cursor."""
        self.action_move(-3)

    def on_focus(self, event: Focus) -> None:
        """The cursor is seen."""
        self.refresh()
        self.post_message(self.Moved(self))

    def on_blur(self, event: Blur) -> None:
        """The cursor is not seen."""
        self.refresh()
