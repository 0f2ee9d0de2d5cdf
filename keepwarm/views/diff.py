"""A unified diff in a terminal: what goes is red, what comes is green."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from keepwarm.views import words

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(lines: Iterable[str], console: Console) -> None:
    """Prints a diff's lines."""
    for line in lines:
        head = line.startswith(("---", "+++"))
        style = "bold" if head else _STYLES.get(line[:1], "")
        console.print(Text(words.clean(line.replace("\t", "    ")), style), soft_wrap=True)
