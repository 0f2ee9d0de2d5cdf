"""`/metrics`: the gateway's figures for Prometheus, under names as vLLM, SGLang and llama.cpp have them.

Counters count what this process has served: they begin at 0 with it and never go down. So what rests on a verdict is
counted when the verdict is final, at most half a minute after the answer, and all else when the request is over. Labels
have few values: the programs and models that come first keep their names, and further ones are "other".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from keepwarm import __version__
from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import of_record

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
NAMES: Final = 20
"""Programs, and models, that have a label of their own."""
WAITS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
"""Seconds: from a prompt that stands in a cache to one of 100,000 tokens on a laptop."""
OWN_WORK: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1)
"""Seconds that keepwarm itself takes."""
TOKENS: Final = (100, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000)


class Moment(msgspec.Struct, frozen=True):
    """What is true at the time of a scrape."""

    running: int = 0
    """Requests that are being served, the waiting ones too."""
    waiting: int = 0
    """Of these, the ones that have not gone to the server yet."""
    slots: int = 0
    """Slots of the server, as far as it lets one choose."""
    slots_busy: int = 0
    upstream_up: bool = False
    """The server has answered, and no connection has failed since."""
    listeners: int = 0
    """Readers of `/api/events`."""
    dropped: int = 0
    """Records that could not be kept."""


class Metrics:
    """The figures of one gateway."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series began: the field's dashboards have no use for it
        self.registry = CollectorRegistry()
        self._moment = _Moment()
        self.registry.register(self._moment)
        self._clients, self._models = _Names(), _Names()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"keepwarm_{name}", what, labels, registry=self.registry)

        def histogram(name: str, what: str, buckets: Iterable[float]) -> Histogram:
            return Histogram(f"keepwarm_{name}", what, buckets=tuple(buckets), registry=self.registry)

        self._requests = counter("requests", "Requests that are over.", "client", "kind", "ending")
        self._unreported = counter("unreported_requests", "Requests whose server did not say what it reused.")
        self._prompt = counter("prompt_tokens", "Tokens of prompts, the reused ones too.", "model")
        self._reused = counter("prompt_tokens_reused", "Tokens of prompts found in the prefix cache.", "model")
        self._processed = counter("prompt_tokens_processed", "Tokens of prompts that were prefilled.", "model")
        self._output = counter("generation_tokens", "Tokens generated.", "model")
        self._prefill = counter("prefill_seconds", "Seconds of prefill, as servers report them.", "model")
        self._generation = counter("generation_seconds", "Seconds of generation, as servers report them.", "model")
        self._verdicts = counter("verdicts", "Final verdicts.", "outcome")
        self._hits = counter("cache_hits", "Requests for which all that stood was reused.")
        self._misses = counter("cache_misses", "Requests of which something was lost, by the first cause.", "cause")
        self._lost = counter("lost_tokens", "Tokens processed again that had been processed before.", "cause")
        self._lost_seconds = counter("lost_seconds", "Seconds that the lost tokens took, where known.", "cause")
        self._alerts = counter("alerts", "Alerts.", "kind")
        self._webhooks = counter("alert_deliveries_failed", "Alerts that could not be delivered.", "way")
        self._first = histogram("time_to_first_token_seconds", "From a request's arrival to its first token.", WAITS)
        self._whole = histogram("request_duration_seconds", "From a request's arrival to the end of its answer.", WAITS)
        self._overhead = histogram("overhead_seconds", "keepwarm's own work before the server is asked.", OWN_WORK)
        self._sizes = histogram("request_prompt_tokens", "Tokens of the prompt of a request.", TOKENS)

    def record(self, record: Record) -> None:
        """A request is over: all that rests on no verdict."""
        sums, usage = of_record(record), record.usage
        self._requests.labels(self._clients.name(record.client.partition("/")[0]), record.kind, record.ending).inc()
        self._unreported.inc(sums.unreported)
        model = self._models.name(record.model)
        for counter, number in (
            (self._prompt, sums.prompt_tokens),
            (self._reused, sums.cached_tokens),
            (self._processed, sums.processed_tokens),
            (self._output, sums.output_tokens),
            (self._prefill, sums.prompt_ms / 1000),
            (self._generation, sums.output_ms / 1000),
        ):
            counter.labels(model).inc(number)
        for histogram, ms in (
            (self._first, record.first_token_ms),
            (self._whole, record.total_ms),
            (self._overhead, record.overhead_ms),
        ):
            if ms is not None:
                histogram.observe(ms / 1000)
        if usage.prompt_tokens is not None:
            self._sizes.observe(usage.prompt_tokens)

    def verdict(self, record: Record) -> None:
        """A request's verdict is final."""
        if record.verdict is None:
            return
        sums, causes = of_record(record), record.verdict.causes
        cause = causes[0] if causes else ""
        self._verdicts.labels(record.verdict.outcome).inc()
        self._hits.inc(record.verdict.outcome == "hit")
        if sums.misses:
            self._misses.labels(cause).inc()
        if sums.lost_tokens:
            self._lost.labels(cause).inc(sums.lost_tokens)
            self._lost_seconds.labels(cause).inc(sums.lost_ms / 1000)

    def alert(self, kind: str) -> None:
        """A person was told of something."""
        self._alerts.labels(kind).inc()

    def undelivered(self, way: str) -> None:
        """An alert could not be delivered by "webhook" or "desktop"."""
        self._webhooks.labels(way).inc()

    def text(self, moment: Moment) -> bytes:
        """All figures, as Prometheus reads them."""
        self._moment.now = moment
        return generate_latest(self.registry)


class _Names:
    """The first names that came, by which a label can be."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def name(self, said: str) -> str:
        said = said[:64]
        if said not in self._known:
            if len(self._known) >= NAMES:
                return "other"
            self._known.add(said)
        return said


class _Moment(Collector):
    """What is true at the time of a scrape."""

    def __init__(self) -> None:
        self.now = Moment()

    def collect(self) -> Iterator[Metric]:
        now = self.now
        for name, what, value in (
            ("requests_running", "Requests that are being served.", now.running),
            ("requests_waiting", "Requests that wait for a slot or for keepwarm itself.", now.waiting),
            ("slots", "Slots of the model server.", now.slots),
            ("slots_busy", "Slots of the model server that are at work.", now.slots_busy),
            ("upstream_up", "1 when the model server is there.", int(now.upstream_up)),
            ("event_listeners", "Readers of /api/events.", now.listeners),
        ):
            yield GaugeMetricFamily(f"keepwarm_{name}", what, value)
        yield CounterMetricFamily("keepwarm_ledger_drops", "Records that could not be kept.", now.dropped)
        info = GaugeMetricFamily("keepwarm_build_info", "Always 1: which keepwarm this is.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
