"""The agents that are installed: their habits, less what the settings or the gateway mend."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from keepwarm.checks.finding import Finding
from keepwarm.checks.habits import HEADER_CODES, HabitsOf, judge_habits
from keepwarm.checks.settings import Settings

INSTALL: Final = "npm install -g @anthropic-ai/claude-code"


def judge_agents(
    agents: Iterable[tuple[str, str, str]], settings: Settings, gateway: str, gateway_runs: bool, habits: HabitsOf
) -> list[Finding]:
    """Findings about the agents on the path.

    agents        (name, version in its own words, path) of each
    gateway       where keepwarm runs, or would
    gateway_runs  whether it does
    """
    found: list[Finding] = []
    through = gateway_runs and settings.base_url == gateway.rstrip("/")
    for name, version, path in agents:
        said = version or "a version it does not tell"
        title = f"{name}: {said} ({path})."
        found.append(Finding(area="client", code=f"client-{name}", severity="ok", title=title))
        found += [_mended(one, settings, through) for one in judge_habits(name, habits(name, version))]
    if not found:
        title = "No coding agent was found on the path."
        found.append(Finding(area="client", code="no-client", severity="info", title=title, command=INSTALL))
    return found


def softened(findings: Iterable[Finding], codes: Collection[str]) -> list[Finding]:
    """The findings, where the servers turned out to mask or remove the billing line themselves.

    codes  of the findings that all of them share
    """
    rows = list(findings)
    if "header-masked" not in codes:
        return rows
    if "line-removed" in codes:
        detail = "The server removes it, where it stands at the very beginning of a system text."
        return [replace(one, severity="info", detail=detail) if one.code in HEADER_CODES else one for one in rows]
    detail = "The server masks it over its own Messages API; behind a proxy that asks for chat completions it costs."
    return [replace(one, severity="warn", detail=detail) if one.code == HEADER_CODES[0] else one for one in rows]


def _mended(habit: Finding, settings: Settings, through: bool) -> Finding:
    """A habit as it counts here."""
    if habit.code in HEADER_CODES and settings.header_off:
        title = "Its billing line is switched off by CLAUDE_CODE_ATTRIBUTION_HEADER."
        return Finding(area="client", code="header-off", severity="ok", title=title)
    if habit.code in HEADER_CODES and through:
        title = "Its billing line is taken out by keepwarm, to which ANTHROPIC_BASE_URL points."
        return Finding(area="client", code="header-removed", severity="ok", title=title)
    if through and habit.severity != "ok":
        return replace(habit, severity="info", command="")
    return habit
