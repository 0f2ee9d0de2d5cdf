"""Before and after: two spans against each other, and whether the difference is larger than what varies anyway.

The hit rates of short steps of time are the samples. A difference is claimed only where both sides have enough of
them, and where their medians are further apart than the hit rates of a side spread by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final, Literal, TypeAlias

import msgspec

from keepwarm.ledger.sums import Bucket, Sums
from keepwarm.views import words

ENOUGH_REQUESTS: Final = 20
"""Requests with reported figures that a side must have."""
ENOUGH_SAMPLES: Final = 5
"""Steps of time with such requests that a side must have."""
LEAST: Final = 0.02
"""A smaller difference of the medians is none."""
Finding: TypeAlias = Literal["better", "worse", "same", "unclear", "too_little"]


class Side(msgspec.Struct, frozen=True):
    """One of the two spans."""

    since: float
    until: float
    sums: Sums
    models: frozenset[tuple[str, str]] = frozenset()
    """(model, kind of server) of its requests."""
    rates: tuple[float, ...] = ()
    """The hit rates of its steps."""


class Comparison(msgspec.Struct, frozen=True):
    """What is to be said of the two."""

    before: Side
    after: Side
    finding: Finding
    claim: str
    """In words, with what it rests on."""
    chosen: bool
    """The moment between the two was given; else it is the middle of the period."""


def samples(buckets: Sequence[Bucket], step: float, since: float, until: float) -> tuple[float, ...]:
    """The hit rates of the steps (of `step` seconds) that lie in a span as a whole."""
    inside = (bucket.sums.hit_rate for bucket in buckets if since <= bucket.at and bucket.at + step <= until)
    return tuple(rate for rate in inside if rate is not None)


def compare(before: Side, after: Side, *, chosen: bool) -> Comparison:
    """The two sides, and what can be claimed of them."""
    finding, claim = _judge(before, after)
    if finding in ("better", "worse") and before.models != after.models:
        claim += " The two sides are not the same models or servers, so it may be theirs."
    if finding in ("better", "worse") and not chosen:
        claim += " The sides are halves of the period: nothing here says what made the difference."
    return Comparison(before, after, finding, claim, chosen)


def _judge(before: Side, after: Side) -> tuple[Finding, str]:
    for name, side in (("before", before), ("after", after)):
        known = side.sums.requests - side.sums.unreported
        if known < ENOUGH_REQUESTS or len(side.rates) < ENOUGH_SAMPLES:
            return "too_little", (
                f"Too little for a claim: {name} has {words.times(known, 'request')} with reported figures in "
                f"{words.times(len(side.rates), 'step')} of time; {ENOUGH_REQUESTS} and {ENOUGH_SAMPLES} are wanted."
            )
    apart = median(after.rates) - median(before.rates)
    noise = max(_spread(before.rates), _spread(after.rates))
    points = f"{abs(apart) * 100:.1f} points"
    spread = f"{noise * 100:.1f} points"
    if abs(apart) < LEAST and noise < LEAST:
        return "same", f"The same on both sides: the medians are {points} apart, and a side spreads by {spread}."
    if abs(apart) <= noise or abs(apart) < LEAST:
        return "unclear", (
            f"No claim: the medians of the hit rate are {points} apart, and the hit rates of a side spread by {spread}."
        )
    way: Finding = "better" if apart > 0 else "worse"
    return way, (
        f"The cache was used {way} after: the median of the hit rate is {points} {'higher' if apart > 0 else 'lower'}, "
        f"and the hit rates of a side spread by {spread} (middle half)."
    )


def _spread(rates: Sequence[float]) -> float:
    """The middle half: from the first to the third quartile."""
    low, _, high = quantiles(rates, n=4, method="inclusive")
    return high - low
