"""What requests cost: money where the model has a list price, else the seconds that the server worked.

A price is that of the model's lowest tier, and of a provider: a model that llama.cpp serves has none, whatever the
agent calls it. So costs are sums of tokens times a rate, and those of a span are those of its requests together.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import ModelSums, Sums, of_record

OWN: Final = frozenset({"llamacpp", ""})
"""Kinds of server that run on hardware of one's own: nothing is to be paid for a token."""
_TOKENS: Final = 1000
"""So many are priced to know the rate: few enough for the lowest tier of every model."""


class Rates(msgspec.Struct, frozen=True):
    """Dollars a token."""

    fresh: Decimal
    """Of a prompt that is processed."""
    cached: Decimal
    written: Decimal
    """Of a prompt that is processed and put into a cache."""
    output: Decimal


class Cost(msgspec.Struct, frozen=True):
    """What requests cost and what the cache saved."""

    currency: str | None
    """"USD"; None where no model has a price."""
    amount: float
    """In that currency."""
    saved: float
    """What the reused tokens would have cost more without a cache."""
    gpu_seconds: float
    """Seconds that servers report for prefill and generation."""
    gpu_seconds_saved: float
    """What it would have taken to process the reused tokens, at the rate of those that were processed."""
    basis: str
    """In words, what the figures rest on."""


def cost(record: Record) -> Cost:
    """Of one request."""
    return cost_of([ModelSums(record.model, record.upstream, of_record(record))])


def cost_of(models: Iterable[ModelSums]) -> Cost:
    """Of sums by model, as `Totals.by_model` has them."""
    amount = saved = Decimal(0)
    seconds = seconds_saved = 0.0
    priced: list[str] = []
    unpriced: list[str] = []
    for one in models:
        known = rates(one.model) if one.upstream not in OWN else None
        if known is not None:
            amount += _price(one.sums, known)
            saved += one.sums.cached_tokens * (known.fresh - known.cached)
        (priced if known is not None else unpriced).append(one.model or "a model without a name")
        seconds += (one.sums.prompt_ms + one.sums.output_ms) / 1000
        if one.sums.prompt_ms and one.sums.processed_tokens > 0:
            seconds_saved += one.sums.cached_tokens * one.sums.prompt_ms / one.sums.processed_tokens / 1000
    return Cost(
        "USD" if priced else None,
        float(amount),
        float(saved),
        seconds,
        seconds_saved,
        _basis(priced, unpriced),
    )


@lru_cache(maxsize=256)
def rates(model: str) -> Rates | None:
    """The list prices of a model; None when it has none."""
    # Imported where it is needed: it takes longer to load than most commands take.
    from genai_prices import Usage, calc_price

    def rate(**tokens: int) -> Decimal:
        return calc_price(Usage(**tokens), model_ref=model).total_price / _TOKENS

    try:
        return Rates(
            fresh=rate(input_tokens=_TOKENS),
            cached=rate(input_tokens=_TOKENS, cache_read_tokens=_TOKENS),
            written=rate(input_tokens=_TOKENS, cache_write_tokens=_TOKENS),
            output=rate(output_tokens=_TOKENS),
        )
    except (LookupError, ValueError):
        return None


def _price(sums: Sums, known: Rates) -> Decimal:
    fresh = max(0, sums.prompt_tokens - sums.cached_tokens - sums.written_tokens)
    return (
        fresh * known.fresh
        + sums.cached_tokens * known.cached
        + sums.written_tokens * known.written
        + sums.output_tokens * known.output
    )


def _basis(priced: list[str], unpriced: list[str]) -> str:
    said = []
    if priced:
        said.append(f"list prices of the lowest tier for {_listed(priced)} (genai-prices)")
    if unpriced:
        said.append(f"seconds that the server reports for {_listed(unpriced)}, which has no price")
    return "; ".join(said) or "no requests"


def _listed(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
