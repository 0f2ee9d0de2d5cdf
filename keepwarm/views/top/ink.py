"""A line of text in the making: parts with their styles, in ASCII where the terminal has no more, never too wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from rich.text import Text

from keepwarm.views import words

MARK: Final = "> "
"""In front of the line that the cursor is on: seen without colours too."""


class Paper(msgspec.Struct, frozen=True):
    """What is written on."""

    width: int
    """Columns."""
    ascii_only: bool = False
    """The terminal is not UTF-8."""

    def line(self, *parts: str | tuple[str, str] | Text) -> Text:
        """One line of parts, (words, style) or words alone, cut where it ends."""
        text = Text(no_wrap=True)
        for part in parts:
            if isinstance(part, Text):
                text.append_text(part)
                continue
            said, style = (part, "") if isinstance(part, str) else part
            text.append(self.ink(said), style)
        text.truncate(self.width, overflow="crop" if self.ascii_only else "ellipsis")
        return text

    def ink(self, said: str) -> str:
        """Words as this paper can show them."""
        said = words.clean(said)
        return words.ascii_only(said) if self.ascii_only else said

    def flow(self, cells: Iterable[Text], most: int) -> list[Text]:
        """Cells beside one another in at most `most` lines; the last of these says how many did not find room."""
        lines: list[Text] = []
        rest = list(cells)
        while rest and len(lines) < most:
            line = Text(no_wrap=True)
            last = len(lines) + 1 == most
            while rest and _room(line, rest[0]) <= self.width - (
                len(f"  +{len(rest)} more") if last and len(rest) > 1 else 0
            ):
                line.append_text(Text("  " if line.plain else "")).append_text(rest.pop(0))
            if not line.plain:
                line = rest.pop(0)
            lines.append(line)
        if rest:
            lines[-1].append(f"  +{len(rest)} more", "dim")
        for line in lines:
            line.truncate(self.width, overflow="crop" if self.ascii_only else "ellipsis")
        return lines


def _room(line: Text, cell: Text) -> int:
    return line.cell_len + cell.cell_len + (2 if line.plain else 0)


def window(count: int, cursor: int, top: int, height: int) -> int:
    """The first of `count` lines that is shown in `height` of them, so that the cursor is seen and few lines move."""
    top = min(top, max(0, count - height))
    if cursor < top:
        return max(0, cursor)
    return max(top, cursor - height + 1) if height > 0 else 0


def marked(lines: Sequence[Text], cursor: int | None, width: int = 0) -> list[Text]:
    """The lines with the cursor's mark in front of one of them, which is reversed over the whole `width`."""
    made = []
    for place, line in enumerate(lines):
        here = place == cursor
        text = Text(MARK if here else " " * len(MARK), no_wrap=True).append_text(line)
        if here:
            text.pad_right(max(0, width - text.cell_len))
            text.stylize("reverse")
        made.append(text)
    return made
