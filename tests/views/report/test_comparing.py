"""Before and after: what may be claimed, and what not."""

from __future__ import annotations

import pytest

from keepwarm.ledger.sums import Bucket, Sums
from keepwarm.views.report.comparing import Side, compare, samples

LLAMA = frozenset({("qwen", "llamacpp")})
OTHER = frozenset({("gemma", "llamacpp")})


def side(*rates: float, requests: int = 40, unreported: int = 0, models: frozenset[tuple[str, str]] = LLAMA) -> Side:
    return Side(0.0, 1.0, Sums(requests=requests, unreported=unreported), models, rates)


LOW, HIGH = (0.50, 0.52, 0.48, 0.51, 0.53, 0.49), (0.90, 0.92, 0.88, 0.91, 0.93, 0.89)


def test_a_clear_difference_is_claimed_both_ways() -> None:
    better = compare(side(*LOW), side(*HIGH), chosen=True)
    assert better.finding == "better"
    assert "40.0 points higher" in better.claim
    worse = compare(side(*HIGH), side(*LOW), chosen=True)
    assert worse.finding == "worse"
    assert "40.0 points lower" in worse.claim


def test_no_claim_where_a_side_spreads_more_than_the_two_are_apart() -> None:
    noisy = (0.2, 0.9, 0.5, 0.95, 0.3, 0.8)
    found = compare(side(*noisy), side(*(rate + 0.05 for rate in noisy)), chosen=True)
    assert found.finding == "unclear"
    assert found.claim.startswith("No claim")


def test_two_sides_that_are_alike_are_said_to_be() -> None:
    assert compare(side(*HIGH, 0.9), side(*HIGH), chosen=True).finding != "better"
    steady = (0.9, 0.901, 0.9, 0.899, 0.9)
    assert compare(side(*steady), side(*steady), chosen=True).finding == "same"


@pytest.mark.parametrize(
    "short",
    [side(*LOW, requests=19), side(*LOW, requests=60, unreported=41), side(*LOW[:4]), side(requests=0)],
)
def test_too_little_carries_no_claim(short: Side) -> None:
    for pair in ((short, side(*HIGH)), (side(*HIGH), short)):
        found = compare(*pair, chosen=True)
        assert found.finding == "too_little"
        assert found.claim.startswith("Too little for a claim")


def test_other_models_and_halves_are_said_with_the_claim() -> None:
    found = compare(side(*LOW), side(*HIGH, models=OTHER), chosen=False)
    assert "not the same models or servers" in found.claim
    assert "halves of the period" in found.claim
    assert "halves" not in compare(side(*LOW), side(*HIGH), chosen=True).claim


def test_a_step_that_lies_across_the_moment_is_on_neither_side() -> None:
    buckets = [Bucket(at, Sums(cached_tokens=9, processed_tokens=1)) for at in (0.0, 60.0, 120.0)]
    buckets.append(Bucket(180.0, Sums(requests=3, unreported=3)))
    assert len(samples(buckets, 60.0, 0.0, 90.0)) == 1
    assert len(samples(buckets, 60.0, 90.0, 1000.0)) == 1
    assert samples(buckets, 60.0, 180.0, 1000.0) == (), "not reported is no sample"
