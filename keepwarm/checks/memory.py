"""What memory the model server takes, and what is said of it. The readers are in shell/server_memory.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from keepwarm.checks.finding import Finding

Source: TypeAlias = Literal["nvidia", "amd", "process"]
GIB: Final = 1 << 30
_NEARLY_FULL: Final = 0.97
UNTESTED: Final = "Read by a reader that has not been tried on hardware yet: compare with nvidia-smi or amd-smi once."


class Reading(msgspec.Struct, frozen=True):
    """One look at one device, or at the server's process."""

    source: Source
    name: str
    """The device's name; "process 4711" for a process."""
    used: int
    """Bytes in use on the device, or resident bytes of the process."""
    total: int | None = None
    """Bytes of the device."""
    server: int | None = None
    """Bytes of `used` that are the server's; None where the driver does not tell."""


def judge_memory(readings: Sequence[Reading], why_not: Sequence[str]) -> list[Finding]:
    """Findings about memory.

    why_not  for each source that gave nothing, why
    """
    found = [_said(one) for one in readings]
    missing = "; ".join(why_not)
    if not found:
        title = "The server's memory could not be read."
        found = [Finding(area="memory", code="memory-unread", severity="info", title=title, detail=missing)]
    return found


def _said(reading: Reading) -> Finding:
    part = f", {gib(reading.server)} of it the server's" if reading.server is not None else ""
    whole = f" of {gib(reading.total)}" if reading.total else ""
    title = f"{reading.name}: {gib(reading.used)}{whole} in use{part}."
    if reading.total and reading.used > _NEARLY_FULL * reading.total:
        return Finding(
            area="memory",
            code="memory-full",
            severity="warn",
            title=title,
            detail="With some drivers a full device spills the cache into the machine's memory, and is slow then.",
            command="llama-server ... -ctk q8_0 -ctv q8_0",
        )
    detail = "" if reading.source == "process" else UNTESTED
    return Finding(area="memory", code=f"memory-{reading.source}", severity="info", title=title, detail=detail)


def gib(size: int) -> str:
    """Bytes for a person: "11.8 GiB", or "512 MiB" below one."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / (1 << 20):,.0f} MiB"
