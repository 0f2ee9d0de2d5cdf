"""What requests cost: by list price where there is one, else in seconds."""

from __future__ import annotations

import pytest

from keepwarm.core.events import Usage
from keepwarm.ledger.sums import ModelSums, Sums, of_record
from keepwarm.views.cost import cost, cost_of, rates
from tests.ledger.samples import a_record

PRICED = "claude-sonnet-4-5-20250929"


def test_a_model_of_ones_own_costs_seconds_whatever_it_is_called() -> None:
    usage = Usage(1000, 800, 50, prompt_ms=400.0, output_ms=600.0)
    one = cost(a_record(model=PRICED, upstream="llamacpp", usage=usage))
    assert (one.currency, one.amount, one.saved) == (None, 0.0, 0.0)
    assert one.gpu_seconds == pytest.approx(1.0)
    assert one.gpu_seconds_saved == pytest.approx(1.6), "800 tokens at 2 ms each"
    assert "no price" in one.basis


def test_a_model_with_a_price_costs_what_its_tokens_cost() -> None:
    known = rates(PRICED)
    assert known is not None
    assert 0 < known.cached < known.fresh < known.written
    assert known.output > known.fresh
    one = cost(a_record(model=PRICED, upstream="anthropic", usage=Usage(1000, 700, 50, written_tokens=100)))
    assert one.currency == "USD"
    expected = 200 * known.fresh + 700 * known.cached + 100 * known.written + 50 * known.output
    assert one.amount == pytest.approx(float(expected))
    assert one.saved == pytest.approx(float(700 * (known.fresh - known.cached)))
    assert PRICED in one.basis


def test_the_cost_of_a_span_is_that_of_its_requests() -> None:
    records = [
        a_record(model=PRICED, upstream="anthropic", usage=Usage(300_000, 200_000, 4_000)),
        a_record(model=PRICED, upstream="anthropic", usage=Usage(1000, None, 40)),
    ]
    models = [ModelSums(PRICED, "anthropic", of_record(record)) for record in records]
    assert cost_of(models).amount == pytest.approx(sum(cost(record).amount for record in records))


def test_a_model_that_nobody_knows_has_no_price() -> None:
    assert rates("a-model-of-nobody's") is None
    one = cost_of([ModelSums("a-model-of-nobody's", "chat", Sums(prompt_tokens=9))])
    assert one.currency is None
    assert "a-model-of-nobody's" in one.basis


def test_nothing_costs_nothing() -> None:
    one = cost_of([])
    assert (one.currency, one.amount, one.gpu_seconds, one.basis) == (None, 0.0, 0.0, "no requests")


def test_the_basis_names_a_few_models_only() -> None:
    said = cost_of([ModelSums(f"m{number}", "llamacpp", Sums()) for number in range(9)]).basis
    assert "m0, m1, m2 and 6 more" in said
