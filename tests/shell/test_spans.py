"""Spans after the conventions for generative AI, made when a verdict is final; off unless they are asked for."""

from __future__ import annotations

import builtins
import gzip
import logging
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from keepwarm.core.events import Usage
from keepwarm.ledger.records import Verdict
from keepwarm.shell.spans import Spans, attributes, start_spans, wanted
from keepwarm.shell.watch import Batch
from tests.ledger.samples import a_record
from tests.shell.asking import post
from tests.shell.conftest import OpenGateway, OpenStub
from tests.shell.stub import message_body

ENDPOINT = "http://127.0.0.1:4318"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Spans:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(provider, "http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, False),
        ({"OTEL_SERVICE_NAME": "mine"}, False),
    ],
)
def test_they_are_off_unless_the_standard_variables_ask_for_them(environ: dict[str, str], on: bool) -> None:
    assert wanted(environ) is on
    if not on:
        assert start_spans(environ, ENDPOINT) is None


def test_a_request_is_a_span_with_its_times(spans: Spans, exporter: InMemorySpanExporter) -> None:
    record = a_record(at=1_790_000_000.5, first_token_ms=330.0, total_ms=1250.0)
    spans.take(Batch(records=[record], final=[record]))
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("chat tiny", SpanKind.CLIENT)
    assert span.start_time == 1_790_000_000_500_000_000
    assert span.end_time == 1_790_000_001_750_000_000
    assert [(event.name, event.timestamp) for event in span.events] == [("first token", 1_790_000_000_830_000_000)]
    assert span.status.status_code is StatusCode.UNSET


def test_a_verdict_that_may_change_makes_no_span_yet(spans: Spans, exporter: InMemorySpanExporter) -> None:
    spans.take(Batch(records=[a_record()], amended=[a_record()]))
    assert not exporter.get_finished_spans()


def test_attributes_are_those_of_the_conventions() -> None:
    verdict = Verdict("partial", "client", "exact", expected=900, lost=200, causes=("HIS005",))
    record = a_record(
        usage=Usage(1000, 700, 50, written_tokens=20), verdict=verdict, upstream="anthropic", session="s1", turn=3
    )
    said = attributes(record, "127.0.0.1", 8080)
    conventional = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "tiny",
        "gen_ai.conversation.id": "s1",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 700,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "server.address": "127.0.0.1",
        "server.port": 8080,
        "http.response.status_code": 200,
    }
    assert conventional.items() <= said.items()
    assert said["keepwarm.cache.lost_tokens"] == 200
    assert said["keepwarm.cache.causes"] == ("HIS005",)
    assert "error.type" not in said


def test_what_was_not_reported_is_left_out_and_is_not_zero() -> None:
    said = attributes(a_record(usage=Usage(), verdict=None, session="", lineage="l1", seat=None), "", None)
    assert not [name for name in said if name.startswith(("gen_ai.usage", "keepwarm.cache", "server."))]
    assert said["gen_ai.conversation.id"] == "l1"


def test_a_failure_is_an_error(spans: Spans, exporter: InMemorySpanExporter) -> None:
    failed = a_record(ending="failed", status=502, error="unreachable: no model server answers", total_ms=None)
    spans.take(Batch(final=[failed]))
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "unreachable"


def test_without_the_package_a_person_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    importing = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with caplog.at_level(logging.WARNING, "keepwarm"):
        assert start_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}, ENDPOINT) is None
    assert "pip install 'keepwarm[otel]'" in caplog.text


def test_a_real_exporter_stops_although_nobody_takes_the_spans(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    made = start_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port}"}, ENDPOINT)
    assert made is not None
    made.take(Batch(final=[a_record()]))
    made.stop()


async def test_a_collector_gets_the_span_of_a_request_that_a_gateway_served(
    open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over OTLP as it is spoken."""
    got: list[ExportTraceServiceRequest] = []

    async def collect(request: web.Request) -> web.Response:
        body = await request.read()
        packed = request.headers.get("Content-Encoding") == "gzip"
        got.append(ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body))
        return web.Response(content_type="application/x-protobuf")

    application = web.Application()
    application.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    gateway = await open_gateway((await open_stub()).url)
    status, _ = await post(http, gateway.url, message_body("words that no span has"))
    assert status == 200
    await gateway.stop()
    await runner.cleanup()
    (resource,) = got[0].resource_spans
    (span,) = resource.scope_spans[0].spans
    said = {one.key: one.value for one in span.attributes}
    assert {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"] == "keepwarm"
    assert span.name == "chat local"
    assert said["gen_ai.usage.cache_read.input_tokens"].int_value == 30
    assert said["keepwarm.cache.outcome"].string_value == "first"
    assert b"words that no span has" not in got[0].SerializeToString()
