"""`keepwarm verify` as figures: four arms, interleaved over rounds, and what may be concluded from them.

The arms are a session with the billing line and one without, straight at the server and through keepwarm. What is
compared is the wait for the first token of each *later* request of a session (from the second on), where a cache that
holds shows; a round gives one value an arm, the median of its later requests.

The criterion. For each way (straight, keepwarm), with `on` and `off` the values of the rounds and `cold` the median of
all first requests:

    costs    every value of `on` is above every value of `off` (the ranges do not touch), and the medians differ by
             a tenth of `cold` at least
    helps    as `costs`, the other way round
    none     neither, and no value of one is a quarter of `cold` or more above any value of the other
    unclear  anything else, or fewer than three rounds: the noise is as large as the effect, and nothing is concluded
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, Literal, TypeAlias

import msgspec

Way: TypeAlias = Literal["straight", "keepwarm"]
Outcome: TypeAlias = Literal["costs", "none", "helps", "unclear"]
Evidence: TypeAlias = Literal["slots", "template", "sent", ""]
"""Where the text of a prompt came from: the server's slot, its template made of what was sent, or what was sent."""

LEAST_ROUNDS: Final = 3
WORTH_NAMING: Final = 0.1
"""Share of a cold prompt that an effect must have."""
AS_GOOD_AS_NONE: Final = 0.25
"""Share of a cold prompt below which the worst case counts as no effect."""
UNCLEAR_EXIT: Final = 3


class Arm(msgspec.Struct, frozen=True):
    """One of the four."""

    way: Way
    header: bool

    @property
    def name(self) -> str:
        """For a table: "straight, header on"."""
        return f"{self.way}, header {'on' if self.header else 'off'}"


ARMS: Final = (Arm("straight", True), Arm("straight", False), Arm("keepwarm", True), Arm("keepwarm", False))


class Sample(msgspec.Struct, frozen=True):
    """One request of the experiment."""

    arm: Arm
    round: int
    """From 1."""
    request: int
    """Its place in its session, from 1."""
    first_token_s: float
    """Seconds from sending it to the first token, at the client."""
    prompt: int | None = None
    """Tokens of the prompt, as the server says."""
    cached: int | None = None
    """Of these, the reused ones."""
    with_line: bool | None = None
    """Whether the prompt held the billing line."""
    kept: float | None = None
    """How much of the session's previous prompt this one begins with, 0 to 1; None for the first."""
    evidence: Evidence = ""

    @property
    def processed(self) -> int | None:
        """Tokens that were prefilled."""
        return None if self.prompt is None or self.cached is None else self.prompt - self.cached


class MemoryPoint(msgspec.Struct, frozen=True):
    """The server's memory at a moment."""

    at: float
    """Seconds since the experiment began."""
    used: int
    """Bytes."""


class Span(msgspec.Struct, frozen=True):
    """When an arm's session ran."""

    arm: Arm
    round: int
    began: float
    ended: float


class ArmLog(msgspec.Struct, frozen=True):
    """What the log says of one arm."""

    arm: Arm
    prompts: int = 0
    """Lines that hold a prompt of it."""
    header_lines: int = 0
    """Lines with the billing line."""
    reused: int = 0
    """Tokens found in the cache, of `asked`, in the server's words; 0 of 0 where it does not tell."""
    asked: int = 0
    processed: int = 0
    """Tokens of prompts that were evaluated, in the server's words."""
    forced: int = 0
    """Prompts that were processed in full for want of cache data."""


class LogStory(msgspec.Struct, frozen=True):
    """What the log says of the whole experiment."""

    of: str
    """Which log: "the engine's own log", or the file's name."""
    arms: tuple[ArmLog, ...]
    note: str = ""
    """Why it says less than it could, and what would have it say more."""


class Spread(msgspec.Struct, frozen=True):
    """Some values in three figures."""

    median: float
    low: float
    high: float


class Comparison(msgspec.Struct, frozen=True):
    """What the header does on one way."""

    way: Way
    on: Spread
    """Seconds of the later requests, with the header."""
    off: Spread
    cold: float
    """Seconds of a first request, the median of all."""
    outcome: Outcome
    why: str
    """The outcome in words."""


class Trial(msgspec.Struct, frozen=True):
    """The whole experiment."""

    keepwarm: str
    """keepwarm's version."""
    server: str
    """What was measured, in words."""
    endpoint: str
    """Where the straight arms asked: "chat" or "messages"."""
    style: str
    """Whose header: "2.1.114" or "2.1.328"."""
    rounds: int
    tokens: int
    """Tokens that a prompt was made for."""
    samples: tuple[Sample, ...]
    memory_of: str = ""
    """What the memory points are of; "" where none could be read."""
    memory: tuple[MemoryPoint, ...] = ()
    spans: tuple[Span, ...] = ()
    log: LogStory | None = None
    """What the server's log said; None where none was named."""

    def of(self, arm: Arm) -> list[Sample]:
        """One arm's samples."""
        return [one for one in self.samples if one.arm == arm]

    def later(self, arm: Arm) -> list[Sample]:
        """One arm's later requests."""
        return [one for one in self.of(arm) if one.request > 1]


def conclude(trial: Trial) -> tuple[Comparison, ...]:
    """What the header does straight, and through keepwarm."""
    cold = [one.first_token_s for one in trial.samples if one.request == 1]
    ways: tuple[Way, ...] = ("straight", "keepwarm")
    return tuple(
        compare(way, by_round(trial.later(Arm(way, True))), by_round(trial.later(Arm(way, False))), cold)
        for way in ways
    )


def exit_code(comparisons: Iterable[Comparison]) -> int:
    """0 where both ways have an outcome, 3 where the noise is as large as the effect on one of them."""
    return UNCLEAR_EXIT if any(one.outcome == "unclear" for one in comparisons) else 0


def by_round(samples: Iterable[Sample]) -> list[float]:
    """One value a round: the median wait of its requests."""
    rounds: dict[int, list[float]] = {}
    for one in samples:
        rounds.setdefault(one.round, []).append(one.first_token_s)
    return [median(rounds[number]) for number in sorted(rounds)]


def spread(values: Sequence[float]) -> Spread:
    """Median, least and most of some values, one at least."""
    return Spread(median(values), min(values), max(values))


def compare(way: Way, on: Sequence[float], off: Sequence[float], cold: Sequence[float]) -> Comparison:
    """Two arms by the criterion above; each has one value at least."""
    with_line, without, first = spread(on), spread(off), median(cold)
    outcome = _outcome(with_line, without, first, min(len(on), len(off)))
    return Comparison(way, with_line, without, first, outcome, _why(outcome, way, with_line, without, len(on)))


def _outcome(on: Spread, off: Spread, cold: float, rounds: int) -> Outcome:
    if rounds < LEAST_ROUNDS:
        return "unclear"
    if on.low > off.high and on.median - off.median >= WORTH_NAMING * cold:
        return "costs"
    if on.high < off.low and off.median - on.median >= WORTH_NAMING * cold:
        return "helps"
    if max(on.high - off.low, off.high - on.low) < AS_GOOD_AS_NONE * cold:
        return "none"
    return "unclear"


def _why(outcome: Outcome, way: Way, on: Spread, off: Spread, rounds: int) -> str:
    where = "Straight at the server" if way == "straight" else "Through keepwarm"
    both = f"{shown(on)} with the header and {shown(off)} without it"
    match outcome:
        case "costs":
            factor = on.median / off.median if off.median else 0.0
            times = f", {factor:.1f} times as long" if factor else ""
            return f"{where} the header costs the cache: a later request waits {both}{times}."
        case "helps":
            return f"{where} a later request was quicker with the header ({both}): that was not to be expected."
        case "none":
            return f"{where} the header costs no cache: a later request waits {both}."
    if rounds < LEAST_ROUNDS:
        return f"{where} nothing can be concluded from {rounds} rounds ({both}): {LEAST_ROUNDS} are needed."
    return f"{where} nothing can be concluded: the noise is as large as the effect ({both})."


def shown(values: Spread) -> str:
    """A spread for a person: "0.31 s (0.28 to 0.40)"."""
    return f"{values.median:.2f} s ({values.low:.2f} to {values.high:.2f})"
