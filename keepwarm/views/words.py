"""Numbers, times and foreign text as a person reads them in a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
# What the views themselves write, for a terminal that is not UTF-8; anything else becomes \N.
_ASCII = str.maketrans(
    {"█": "#", "▒": "x", "░": ".", "·": "|", "—": "-", "–": "-", "×": "x", "→": "->", "…": "...", "−": "-"}
)


def count(number: int | None) -> str:
    """Exactly: "20,431"; "-" when it is not known."""
    return "-" if number is None else f"{number:,}"


def short(number: int | None) -> str:
    """In at most five characters: "431", "20.4k", "204k"; "-" when it is not known."""
    if number is None:
        return "-"
    for size, unit in _UNITS:
        if number >= size:
            scaled = number / size
            # Cut, not rounded: 999,999 is not yet a million, and cached never looks like more than the prompt.
            return f"{int(scaled)}{unit}" if scaled >= 100 else f"{int(scaled * 10) / 10:.1f}{unit}"
    return str(number)


def span(milliseconds: float | None) -> str:
    """In at most five characters: "310ms", "3.1s", "142s", "75m"; "-" when it is not known."""
    if milliseconds is None:
        return "-"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f}ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}ms"
    seconds = milliseconds / 1000
    if seconds < 99.95:
        return f"{seconds:.1f}s"
    return f"{seconds:.0f}s" if seconds < 3600 else f"{seconds / 60:.0f}m"


def seconds(milliseconds: float) -> str:
    """In a sentence: "8.2 s"; "0.03 s" for what is short."""
    number = milliseconds / 1000
    return f"{number:,.1f} s" if number >= 0.95 else f"{number:.2f} s"


def share(part: int, whole: int) -> str:
    """Of a hundred: "39.8%". All is only all and nothing only nothing: 99.99 shows as 99.9%, 0.01 as "<0.1%"."""
    if whole <= 0:
        return "-"
    if part <= 0:
        return "0%"
    if part >= whole:
        return "100%"
    tenths = part * 1000 // whole
    return f"{tenths / 10:.1f}%" if tenths else "<0.1%"


def times(number: int, thing: str) -> str:
    """With its noun: "1 token", "2 tokens"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def moment(at: float, form: str) -> str:
    """Unix seconds in the time zone of this machine, by a form of strftime."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime(form)


def clean(text: str) -> str:
    """Text that came from outside, on one line: it must not move the cursor or colour the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def ascii_only(text: str) -> str:
    """The same text in ASCII: our own signs as look-alikes, other characters as escapes."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode()
