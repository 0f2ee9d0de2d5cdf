"""What an agent is known to do with its prompts, as findings: before it has sent anything.

What each version does is told by whoever knows the agents (`clients`, by way of the shell); here it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from keepwarm.checks.finding import TYPICAL_PROMPT, Finding

Strikes: TypeAlias = Literal["", "each turn", "each new session"]


class Known(msgspec.Struct, frozen=True):
    """One habit of a version of an agent."""

    title: str
    """What it does: "tool arguments are rewritten before they are sent back"."""
    rules: tuple[str, ...] = ()
    """Codes of the rules that name or mend it."""
    strikes: Strikes = ""
    """When it costs the whole prompt; "" where it costs less, or only the gateway sees it."""


HabitsOf: TypeAlias = Callable[[str, str], Sequence[Known]]
"""(name of the program, what it says of its version, "" for nothing) -> its habits; none for a stranger."""

HEADER_CODES: Final = ("header-each-request", "header-each-session")
"""Findings about Claude Code's billing line: the setting that leaves it out makes them void."""
OFF: Final = '"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"'
_HEADER: Final = "VOL001"


def judge_habits(name: str, known: Sequence[Known]) -> tuple[Finding, ...]:
    """The habits of an agent, as though nothing in its settings mended them: those of its billing line, each the worst
    of those that the version may have, then the rest in one."""
    headers = sorted((one for one in known if _HEADER in one.rules), key=lambda one: one.strikes != "each turn")
    rest = [one for one in known if _HEADER not in one.rules]
    found = [_header(one) for one in headers[:1]]
    if rest:
        found.append(_rest(name, rest))
    return tuple(found)


def _header(habit: Known) -> Finding:
    if habit.strikes == "each turn":
        code, detail = (
            HEADER_CODES[0],
            "A server that does not remove it processes the whole prompt again, on every turn",
        )
    else:
        code = HEADER_CODES[1]
        detail = "A new session, a sub-agent and /clear share nothing with what the server holds already"
    return Finding(
        area="client",
        code=code,
        severity="bad" if habit.strikes == "each turn" else "warn",
        title=f"This version writes {habit.title}.",
        detail=f"{detail} ({_HEADER}).",
        tokens=TYPICAL_PROMPT,
        strikes=habit.strikes,
        command="keepwarm fix claude",
    )


def _rest(name: str, habits: Sequence[Known]) -> Finding:
    said = "; ".join(f"{one.title} ({', '.join(one.rules)})" if one.rules else one.title for one in habits)
    return Finding(
        area="client",
        code=f"habits-{name}",
        severity="info",
        title=f"Of this version it is known: {said}.",
        detail="keepwarm mends what is named here.",
        command=f"keepwarm run {name}",
    )
