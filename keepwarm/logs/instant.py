"""Moments as logs write them: seconds or milliseconds since 1970, or ISO 8601 text."""

from __future__ import annotations

import re
from typing import Final

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?"
)
_MILLISECONDS: Final = 1e11
"""A number above this is no seconds: that would be the year 5138."""


def instant(said: float | str) -> float:
    """Unix seconds. A text without a zone is UTC. Raises ValueError for what is no moment."""
    if not isinstance(said, str):
        seconds = said / 1000 if said > _MILLISECONDS else float(said)
        if not 0 <= seconds < _MILLISECONDS:
            raise ValueError("the time is no moment")
        return seconds
    found = _ISO.fullmatch(said.strip())
    if found is None:
        raise ValueError("the time is no ISO 8601 text such as 2026-09-22T12:00:00.250Z")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 25 and minute < 60 and second < 61):
        raise ValueError("the time is no moment")
    fraction = float(f"0.{found[7]}") if found[7] else 0.0
    whole = _days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - _offset(found[8] or "Z")
    return max(0.0, whole + fraction)


def since(begin: float, said: float | str | None) -> float | None:
    """Milliseconds from `begin` (Unix seconds) to a moment; None where it is not told or lies before. Raises ValueError
    for what is no moment."""
    if said is None or (end := instant(said)) < begin:
        return None
    return (end - begin) * 1000


def _offset(zone: str) -> int:
    """Seconds that a zone is before UTC."""
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3_600 + int(digits[2:]) * 60
    return seconds if zone[0] == "+" else -seconds


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; the year is taken to begin in March, behind a leap day."""
    year, place = (year, month - 3) if month > 2 else (year - 1, month + 9)
    era, of_era = divmod(year, 400)
    of_year = (153 * place + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
