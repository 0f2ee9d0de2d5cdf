"""What is known of an agent's version before it has sent anything: its habits that cost a cache.

From captures on the wire (Claude Code 2.1.39 to 2.1.328, OpenCode 1.18, Qwen Code 0.24, pi 0.73, Cline 3.0, November
2026). `HabitsOf` is the seam: whoever knows more of an agent hands in a function of the same shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from keepwarm.checks.finding import TYPICAL_PROMPT, Finding, Severity

HabitsOf: TypeAlias = Callable[[str, str], tuple[Finding, ...]]
"""(name of the program, version) -> what is known of it. The version is "" where it does not say."""

HEADER_CODES: Final = ("header-each-request", "header-each-session")
"""Findings about Claude Code's billing line: the setting that leaves it out makes them void."""
OFF: Final = '"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"'
_EACH_REQUEST: Final = ((2, 1, 114), (2, 1, 181))
_HEADER_FIX: Final = "keepwarm fix claude"
_AGENTS: Final = {
    "opencode": ("OpenCode sends tool arguments back in other words (HIS003) and only appends otherwise", "info"),
    "qwen": (
        "Qwen Code puts git status into the system prompt and moves its reminders (VOL004, HIS001)",
        "warn",
    ),
    "pi": ("pi only appends; thinking that the template drops is what costs it (HIS002)", "info"),
    "cline": ("Cline only appends and names no session (KEY002)", "info"),
}


def numbers(version: str) -> tuple[int, ...]:
    """The first dotted number in what a program says of its version: "2.1.114 (Claude Code)" is (2, 1, 114)."""
    found = re.search(r"\d+(?:\.\d+)+", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def known_habits(name: str, version: str) -> tuple[Finding, ...]:
    """The habits of an agent, as though nothing in its settings mended them."""
    if name == "claude":
        return _claude(numbers(version))
    if name in _AGENTS:
        said, severity = _AGENTS[name]
        level: Severity = "warn" if severity == "warn" else "info"
        return (
            Finding(
                area="client",
                code=f"habits-{name}",
                severity=level,
                title=said + ".",
                detail="keepwarm mends what is named here.",
                command=f"keepwarm run {name}",
            ),
        )
    return ()


def _claude(version: tuple[int, ...]) -> tuple[Finding, ...]:
    return (_header(version), _rewritten())


def _header(version: tuple[int, ...]) -> Finding:
    first, behind = _EACH_REQUEST
    if version and first <= version < behind:
        return Finding(
            area="client",
            code="header-each-request",
            severity="bad",
            title="This version of Claude Code writes a new billing line at the head of the prompt of each request.",
            detail="A server that does not remove it processes the whole prompt again, on every turn (VOL001).",
            tokens=TYPICAL_PROMPT,
            strikes="each turn",
            command=_HEADER_FIX,
        )
    return Finding(
        area="client",
        code="header-each-session",
        severity="warn",
        title="This version of Claude Code writes a billing line at the head of the prompt that differs per session.",
        detail="A new session, a sub-agent and /clear share nothing with what the server holds already (VOL001).",
        tokens=TYPICAL_PROMPT,
        strikes="each new session",
        command=_HEADER_FIX,
    )


def _rewritten() -> Finding:
    return Finding(
        area="client",
        code="arguments-rewritten",
        severity="info",
        title="Claude Code sends tool arguments back in other words than the model wrote (HIS003).",
        detail="No setting changes that; keepwarm puts the model's own words back.",
        command="keepwarm run claude",
    )
