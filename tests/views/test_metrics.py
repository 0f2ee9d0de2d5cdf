"""The figures for Prometheus: base units, few labels, counters that only go up."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from keepwarm.core.events import Usage
from keepwarm.ledger.records import Verdict
from keepwarm.views.metrics import NAMES, Metrics, Moment
from tests.ledger.samples import a_record

MISS = Verdict("miss", "client", "counted", lost=900, causes=("VOL001", "HIS005"), lost_ms=1500.0)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_request_is_counted_when_it_is_over() -> None:
    metrics = Metrics()
    metrics.record(a_record(client="claude-cli/2.1.114", usage=Usage(1000, 800, 50, 400.0, 600.0)))
    metrics.record(a_record(client="claude-cli/2.1.200", usage=Usage(500), ending="failed"))
    assert value(metrics, "keepwarm_requests_total", client="claude-cli", kind="main", ending="done") == 1
    assert value(metrics, "keepwarm_requests_total", client="claude-cli", kind="main", ending="failed") == 1
    for name, number in (
        ("prompt_tokens", 1500),
        ("prompt_tokens_reused", 800),
        ("prompt_tokens_processed", 200),
        ("generation_tokens", 50),
        ("prefill_seconds", 0.4),
        ("generation_seconds", 0.6),
    ):
        assert value(metrics, f"keepwarm_{name}_total", model="tiny") == number
    assert value(metrics, "keepwarm_unreported_requests_total") == 1
    assert value(metrics, "keepwarm_time_to_first_token_seconds_bucket", le="0.5") == 2
    assert value(metrics, "keepwarm_time_to_first_token_seconds_sum") == 0.66
    assert value(metrics, "keepwarm_overhead_seconds_bucket", le="0.001") == 0
    assert value(metrics, "keepwarm_overhead_seconds_bucket", le="0.002") == 2
    assert value(metrics, "keepwarm_verdicts_total", outcome="hit") is None, "a verdict is counted when it is final"


def test_a_verdict_is_counted_when_it_is_final() -> None:
    metrics = Metrics()
    metrics.verdict(a_record(verdict=MISS))
    metrics.verdict(a_record())
    metrics.verdict(a_record(verdict=None))
    assert value(metrics, "keepwarm_cache_misses_total", cause="VOL001") == 1
    assert value(metrics, "keepwarm_lost_tokens_total", cause="VOL001") == 900
    assert value(metrics, "keepwarm_lost_seconds_total", cause="VOL001") == 1.5
    assert value(metrics, "keepwarm_cache_hits_total") == 1
    assert value(metrics, "keepwarm_verdicts_total", outcome="miss") == 1


def test_labels_have_few_values_whatever_clients_say() -> None:
    metrics = Metrics()
    for number in range(500):
        metrics.record(a_record(client=f"made-up-{number}/1", model=f"model-{number}" * 50))
    text = metrics.text(Moment()).decode()
    assert len(set(re.findall(r'client="([^"]*)"', text))) == NAMES + 1
    assert len(set(re.findall(r'model="([^"]*)"', text))) == NAMES + 1
    assert max(map(len, text.splitlines())) < 250


def test_the_text_is_what_prometheus_reads_and_names_keep_the_conventions() -> None:
    metrics = Metrics()
    metrics.record(a_record())
    metrics.verdict(a_record(verdict=MISS))
    metrics.alert("cause")
    metrics.undelivered("webhook")
    now = Moment(running=3, waiting=1, slots=4, slots_busy=2, upstream_up=True, listeners=5, dropped=6)
    families = list(text_string_to_metric_families(metrics.text(now).decode()))
    for family in families:
        assert family.name.startswith("keepwarm_")
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|total)$", family.name), "base units; _total is the sample's"
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
    held = {sample.name: sample.value for family in families for sample in family.samples}
    assert held["keepwarm_requests_running"] == 3
    assert held["keepwarm_requests_waiting"] == 1
    assert (held["keepwarm_slots"], held["keepwarm_slots_busy"]) == (4, 2)
    assert (held["keepwarm_upstream_up"], held["keepwarm_event_listeners"]) == (1, 5)
    assert held["keepwarm_ledger_drops_total"] == 6
    assert held["keepwarm_build_info"] == 1
    assert not [name for name in held if name.endswith("_created")]


def test_a_server_that_counts_strangely_makes_no_counter_fall() -> None:
    metrics = Metrics()
    metrics.record(a_record(usage=Usage(10, 900)))
    assert value(metrics, "keepwarm_prompt_tokens_processed_total", model="tiny") == 0
