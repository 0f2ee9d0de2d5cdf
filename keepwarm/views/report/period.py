"""When a report begins and ends, as a person writes it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from keepwarm.errors import ConfigError

_SECONDS: Final = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_BACK: Final = re.compile(r"(\d+)\s*([mhdw])")
_HOW: Final = "write 7d, 12h, 30m or 2w, or a date: 2026-09-21, 2026-09-21T14:30"


def moment(said: str, now: float, option: str) -> float:
    """Unix seconds of "7d" (back from now) or of a date, in the zone of this machine unless it names one.

    Raises ConfigError naming the option and how to write it.
    """
    text = said.strip()
    if (back := _BACK.fullmatch(text)) is not None:
        return now - int(back.group(1)) * _SECONDS[back.group(2)]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"{option} {said!r} is no moment: {_HOW}") from error
