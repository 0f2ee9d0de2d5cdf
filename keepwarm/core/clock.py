"""Dates and times in a text, however they are written: to tell a text that only moved on with the clock."""

from __future__ import annotations

import re
from typing import Final

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY: Final = r"(?:Mon|Tue|Tues|Wed|Wednes|Thu|Thur|Thurs|Fri|Sat|Satur|Sun)(?:day)?\.?"
_TIME: Final = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp]\.?[Mm]\b\.?)?(?:\s?(?:Z|UTC|GMT)\b)?(?:\s?[+-]\d{2}:?\d{2}\b)?"
)
_CLOCK: Final = re.compile(
    rf"""
      \b\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_TIME})?             # 2026-11-24, 2026-11-24T06:00:31Z
    | \b\d{{4}}/\d{{1,2}}/\d{{1,2}}\b                       # 2026/11/24
    | \b\d{{1,2}}(?:/\d{{1,2}}/\d{{2,4}}|\.\d{{1,2}}\.\d{{4}})\b  # 11/24/26, 24.11.2026
    | (?:\b{_DAY},?\s+)?\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}}\b)?  # Tuesday, November 24, 2026
    | (?:\b{_DAY},?\s+)?\b\d{{1,2}}\.?\s+{_MONTH}(?:,?\s+\d{{4}}\b)?                 # Tue 24 Nov 2026
    | \b\d{{4}}\s?[年년]\s?\d{{1,2}}\s?[月월]\s?\d{{1,2}}\s?[日일]                      # 2026年11月24日
    | \b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b
    | \b{_TIME}
    | \b1[5-9]\d{{8}}(?:\d{{3}})?\b                         # Unix seconds and milliseconds
    """,
    re.VERBOSE,
)
_DIGIT: Final = re.compile(r"\S*\d\S*|\b[a-z_]+=[0-9a-f]+;")
_WORD: Final = re.compile(rf"\b(?:{_MONTH}|{_DAY}|[AaPp]\.?[Mm])(?=\W|$)")
MASK: Final = "\x00"


def masked(text: str) -> str:
    """`text` with each date and time as one sign: equal for two texts that differ in nothing else."""
    return _CLOCK.sub(MASK, text)


def spans(text: str) -> list[tuple[int, int]]:
    """Where dates and times stand, as half-open ranges."""
    return [found.span() for found in _CLOCK.finditer(text)]


def without_figures(text: str) -> str:
    """`text` with each word that holds a digit, and names of days and months, as one sign: what is left of a text that
    is written with a date, an id, a path of this session or a count in it."""
    return _WORD.sub(MASK, _DIGIT.sub(MASK, text))
