"""What `keepwarm doctor` says: findings, each with how bad it is, what it costs and the command that mends it.

A judge gives a cost in tokens; `priced` makes seconds of it at the rate that the probe measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

Severity: TypeAlias = Literal["ok", "info", "warn", "bad"]
"""`ok` is as it should be; `info` is worth knowing; `warn` costs now and then; `bad` costs on every turn."""
Area: TypeAlias = Literal["client", "settings", "gateway", "server", "template", "cache", "memory"]
"""What a finding is about, in the order in which a person meets it."""

AREAS: Final[tuple[Area, ...]] = ("client", "settings", "gateway", "server", "template", "cache", "memory")
TYPICAL_PROMPT: Final = 20_000
"""Tokens of a coding agent's prompt some turns into a session: what costs are told for (seen: 15,000 to 100,000)."""

FINE: Final = 0
SOMETHING_BAD: Final = 1
COULD_NOT_LOOK: Final = 2


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    area: Area
    """What it is about."""
    code: str
    """A name for programs that stays the same: "header-each-request"."""
    severity: Severity
    """How bad it is."""
    title: str
    """What is so, in one sentence."""
    detail: str = ""
    """Why it matters, or how it was found out."""
    tokens: int | None = None
    """Tokens that are processed again each time it strikes; None where it costs none or that is not known."""
    seconds: float | None = None
    """The same at the rate measured; None where no rate is known."""
    strikes: str = ""
    """When it costs that: "each turn"."""
    command: str = ""
    """The exact command, or line of a file, that mends it."""


class ServerReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at one model server."""

    url: str
    """Its address, without a password."""
    known: tuple[str, ...]
    """How it is known: "keepwarm.toml", "behind keepwarm", "found here" ..."""
    looked: bool = True
    """False where it does not answer, or is no model server."""
    rate: float | None = None
    """Tokens a second of prefill, as the probe measured it."""
    sent: tuple[str, ...] = ()
    """What the probe sent to it, in words."""
    findings: tuple[Finding, ...] = ()
    """In the order of AREAS."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that `keepwarm doctor` found."""

    keepwarm: str
    """keepwarm's own version."""
    findings: tuple[Finding, ...] = ()
    """What is so whatever the server: agents, settings, the gateway. In the order of AREAS."""
    servers: tuple[ServerReport, ...] = ()
    """Every model server that was looked for, the one that keepwarm would take first."""

    @property
    def every(self) -> tuple[Finding, ...]:
        """All findings, those of the servers last."""
        return self.findings + tuple(one for server in self.servers for one in server.findings)

    @property
    def looked(self) -> bool:
        """Whether there was a model server to look at."""
        return any(server.looked for server in self.servers)

    @property
    def exit_code(self) -> int:
        """0 nothing bad, 1 something bad, 2 there was no server to look at."""
        if not self.looked:
            return COULD_NOT_LOOK
        return SOMETHING_BAD if any(one.severity == "bad" for one in self.every) else FINE


def priced(findings: Iterable[Finding], rate: float | None) -> tuple[Finding, ...]:
    """The findings in the order of AREAS, their tokens told in seconds at `rate` tokens a second."""
    told = [replace(one, seconds=seconds_of(one.tokens, rate)) for one in findings]
    return tuple(sorted(told, key=lambda one: AREAS.index(one.area)))


def seconds_of(tokens: int | None, rate: float | None) -> float | None:
    """How long `tokens` take to process; None where either is unknown."""
    return tokens / rate if tokens and rate else None
