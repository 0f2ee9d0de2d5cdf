"""What a person should be told of: a session of which too little is reused, a cause that is seen for the first time.

Pure: news and what is known go in, alerts and what is known then come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import Sums
from keepwarm.rules.codes import CODES
from keepwarm.views import words

Kind: TypeAlias = Literal["hit_rate", "cause"]
LEVELS: Final = (0.8, 0.6, 0.4)
"""Hit rates; an alert comes when a session falls below one of them."""
ENOUGH: Final = 5
"""Requests of a session before its hit rate says anything: the first ones have nothing to reuse."""
REMEMBERED: Final = 1000
"""Sessions of which it is remembered what has been told."""


class News(msgspec.Struct, frozen=True):
    """One request, and the sums of its session with it."""

    record: Record
    session: Sums


class Alert(msgspec.Struct, frozen=True):
    """Something that a person should be told."""

    kind: Kind
    at: float
    """Unix seconds of the request that gave rise to it."""
    request: str
    """Its id, for `keepwarm explain`."""
    session: str
    client: str
    cause: str
    """The cause that is new, or that the request lost most by; "" when none is known."""
    hit_rate: float | None
    """Of the session."""
    level: float | None
    """The one that it fell below; None for a new cause."""
    words: str
    """All of it for a person, with what to do next."""


class State(msgspec.Struct, frozen=True):
    """What has been told."""

    causes: frozenset[str] = frozenset()
    """Rule codes that have been seen before."""
    levels: tuple[tuple[str, float], ...] = ()
    """(session or lineage, the lowest level that was told), the one told last at the end."""


def alerts(news: Sequence[News], state: State) -> tuple[State, tuple[Alert, ...]]:
    """What has to be told of these requests, and what has been told then.

    A session falls below a level once; when it has come back above the highest one it may fall again. Nothing is told
    of a session that has lost nothing: its prompts were new.
    """
    told: list[Alert] = []
    causes, levels = set(state.causes), dict(state.levels)
    for one in news:
        told += _new_causes(one, causes)
        told += _fallen(one, levels)
    kept = tuple(levels.items())[-REMEMBERED:]
    return State(frozenset(causes), kept), tuple(told)


def _new_causes(one: News, causes: set[str]) -> list[Alert]:
    verdict = one.record.verdict
    if verdict is None or not verdict.lost:
        return []
    # Only the first cause: it is the one that the ledger sums by.
    code = verdict.causes[0] if verdict.causes else ""
    if not code or code in causes:
        return []
    causes.add(code)
    name = f" ({CODES[code].name})" if code in CODES else ""
    said = (
        f"A cause seen for the first time: {words.clean(code)}{name}; the request lost "
        f"{words.times(verdict.lost, 'token')}. What to do: keepwarm rule {words.clean(code)}"
    )
    return [_alert("cause", one, code, None, said)]


def _fallen(one: News, levels: dict[str, float]) -> list[Alert]:
    record, sums = one.record, one.session
    rate, who = sums.hit_rate, record.session or record.lineage
    if rate is None or not who or sums.requests < ENOUGH:
        return []
    if rate >= LEVELS[0]:
        levels.pop(who, None)
        return []
    level = min(level for level in LEVELS if rate < level)
    if not sums.lost_tokens or level >= levels.get(who, 1.0):
        return []
    levels.pop(who, None)
    levels[who] = level
    verdict = record.verdict
    cause = verdict.causes[0] if verdict and verdict.causes else ""
    part = words.share(sums.cached_tokens, sums.cached_tokens + sums.processed_tokens)
    said = (
        f"Session {words.clean(who)[:8]} reuses {part} of its prompts, under {level:.0%}: "
        f"{words.times(sums.lost_tokens, 'token')} were processed again. Why: keepwarm explain {words.clean(record.id)}"
    )
    return [_alert("hit_rate", one, cause, level, said)]


def _alert(kind: Kind, one: News, cause: str, level: float | None, said: str) -> Alert:
    record = one.record
    who = record.session or record.lineage
    return Alert(kind, record.at, record.id, who, record.client, cause, one.session.hit_rate, level, said)
