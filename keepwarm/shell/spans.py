"""Each request as an OpenTelemetry span, named after the semantic conventions for generative AI.

Off unless one of the standard variables says where spans go: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_TRACES_EXPORTER; OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none keep them
off. A span is made when the request's verdict is final, and sent by a thread of the SDK. Needs `pip install
'keepwarm[otel]'`. The conventions (open-telemetry/semantic-conventions-genai) are not stable yet.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from keepwarm import __version__
from keepwarm.ledger.records import Record
from keepwarm.shell.watch import Batch

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("keepwarm")
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROVIDERS: Final = {"anthropic": "anthropic"}
"""Well-known names of `gen_ai.provider.name`; another server is named by how it is spoken to."""
FLUSH_MS: Final = 3000
Value = str | int | float | bool | tuple[str, ...]


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment says where spans go."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return exporter == "otlp" or any(environ.get(name) for name in ENDPOINTS)


def start_spans(environ: Mapping[str, str], upstream: str) -> Spans | None:
    """The exporter of a gateway in front of `upstream`; None where none is wanted or it cannot be had."""
    if not wanted(environ):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("spans are asked for by OTEL_ variables and cannot be made: pip install 'keepwarm[otel]'")
        return None
    name = environ.get("OTEL_SERVICE_NAME") or "keepwarm"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider, upstream)


class Spans:
    """Makes the spans."""

    def __init__(self, provider: TracerProvider, upstream: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("keepwarm", __version__)
        self._server = urlsplit(upstream)

    def take(self, batch: Batch) -> None:
        """A span for each request of which the verdict is final."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        for record in batch.final:
            start = round(record.at * 1e9)
            span = self._tracer.start_span(
                f"chat {record.model}".strip(),
                kind=SpanKind.CLIENT,
                start_time=start,
                attributes=attributes(record, self._server.hostname or "", self._server.port),
            )
            if record.first_token_ms is not None:
                span.add_event("first token", timestamp=start + round(record.first_token_ms * 1e6))
            if record.ending == "failed":
                span.set_status(Status(StatusCode.ERROR, record.error[:200]))
            span.end(end_time=start + round((record.total_ms or 0.0) * 1e6))

    def stop(self) -> None:
        """Send what waits, for a few seconds at the most."""
        self._provider.force_flush(FLUSH_MS)
        self._provider.shutdown()


def attributes(record: Record, host: str, port: int | None) -> dict[str, Value]:
    """What a span says of a request; nothing of its texts. What the server has not reported is left out."""
    usage, verdict, seat = record.usage, record.verdict, record.seat
    said: dict[str, Value | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(record.upstream, record.upstream or "unknown"),
        "gen_ai.request.model": record.model or None,
        "gen_ai.conversation.id": record.session or record.lineage or None,
        "gen_ai.agent.id": record.agent or None,
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.written_tokens,
        "server.address": host or None,
        "server.port": port,
        "http.response.status_code": record.status or None,
        "error.type": (record.error.partition(":")[0] or "failed") if record.ending == "failed" else None,
        "keepwarm.request.id": record.id,
        "keepwarm.client": record.client or None,
        "keepwarm.kind": record.kind or None,
        "keepwarm.lineage": record.lineage or None,
        "keepwarm.turn": record.turn or None,
        "keepwarm.ending": record.ending,
        "keepwarm.slot": seat.slot if seat is not None else None,
        "keepwarm.overhead_ms": record.overhead_ms,
        "keepwarm.first_token_ms": record.first_token_ms,
    }
    if verdict is not None:
        said |= {
            "keepwarm.cache.outcome": verdict.outcome,
            "keepwarm.cache.blame": verdict.blame,
            "keepwarm.cache.expected_tokens": verdict.expected,
            "keepwarm.cache.lost_tokens": verdict.lost,
            "keepwarm.cache.causes": verdict.causes or None,
        }
    return {name: value for name, value in said.items() if value is not None}
