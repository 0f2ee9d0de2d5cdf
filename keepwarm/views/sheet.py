"""Labels on the left, sentences on the right: how one request is shown."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from keepwarm.views import words


class Sheet:
    """The rows of one page.

    ascii_only  for a terminal that is not UTF-8
    """

    def __init__(self, ascii_only: bool) -> None:
        self._ascii = ascii_only
        self.table = Table.grid(padding=(0, 2))
        self.table.add_column(style="bold", no_wrap=True)
        self.table.add_column(overflow="fold")

    def say(self, label: str, sentence: str, style: str = "") -> None:
        """One more row; "" as its label for one that goes on with the row above it."""
        self.table.add_row(self.text(label), self.text(sentence, style))

    def text(self, sentence: str, style: str = "") -> Text:
        """Words as the terminal can show them."""
        return Text(words.ascii_only(sentence) if self._ascii else sentence, style)
