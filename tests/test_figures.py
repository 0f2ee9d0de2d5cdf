"""Every figure is the same wherever it is shown: in `explain --json`, in the API, in the events, in the metrics, in
`top`, the report and the status line. (That the dashboard says them too is tested in a browser: tests/browser.)

They all come from `ledger.sums`. A real gateway serves requests whose server reports a little of everything; then each
view is asked, and what they say is compared with the sum of the records.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.ledger.sums import Sums, of_record
from keepwarm.shell.app import Gateway
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from keepwarm.views import words
from keepwarm.views.explain import print_explain
from tests.shell.conftest import OpenGateway, OpenStub, Records, http, open_gateway, open_stub
from tests.shell.stub import SHAPE, Seen, Stub, begin, message_body, refuse

__all__ = ["http", "open_gateway", "open_stub"]

FIGURES = (
    "requests", "failed", "unreported", "prompt_tokens", "cached_tokens", "processed_tokens", "output_tokens",
    "lost_tokens", "misses",
)  # fmt: skip
REPORTED = [(0, 2000, 30), (2000, 300, 31), (100, 2400, 7), (2400, 200, 9), (0, 2700, 1)]
"""(cached, prefilled, generated) of the turns of each session: the third and the last of them lost something."""


class Shown(NamedTuple):
    """What the views are asked of."""

    gateway: Gateway
    path: Path
    records: list[Record]


@pytest.fixture
async def shown(open_stub: OpenStub, open_gateway: OpenGateway, http: aiohttp.ClientSession) -> Shown:
    stub = await open_stub(slots=2)
    gateway = await open_gateway(stub.url)
    records = Records(gateway)
    amended: list[Record] = []
    gateway.amended.append(amended.append)
    for session in ("first-session", "second-session", ""):
        await converse(http, gateway, stub, session)
    stub.respond = refuse(500, "out of memory")
    async with http.post(gateway.url + "/v1/messages", data=message_body("refused")) as answer:
        assert answer.status >= 400
    await records.until(3 * len(REPORTED) + 1)
    await gateway.inquiries.settled()
    assert gateway.ledger is not None
    assert gateway.ledger.flush()
    latest = {record.id: record for record in (*records, *amended)}
    return Shown(gateway, gateway.ledger.path, list(latest.values()))


async def converse(http: aiohttp.ClientSession, gateway: Gateway, stub: Stub, session: str) -> None:
    """The turns of one session."""
    headers = {"x-claude-code-session-id": session} if session else {}
    said: dict[str, Any] = json.loads(message_body(f"hello from {session}", stream=True))
    said["tools"] = [{"name": "Bash", "input_schema": {"type": "object"}}]
    for cached, prefilled, generated in REPORTED:
        counts = Counts(cached=cached, prefilled=prefilled, generated=generated, prompt_ms=prefilled / 3)

        async def respond(request: web.Request, seen: Seen, counts: Counts = counts) -> web.StreamResponse:
            response = await begin(request)
            await response.write(SHAPE.role() + b"".join(SHAPE.deltas(Answer("Hello."), ())))
            await response.write(SHAPE.ending(Answer("Hello."), counts, with_usage=True))
            return response

        stub.respond = respond
        async with http.post(gateway.url + "/v1/messages", json=said, headers=headers) as answer:
            assert answer.status == 200
            assert b"message_stop" in await answer.read()
        said["messages"] += [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "more " * cached}]


async def get(http: aiohttp.ClientSession, shown: Shown, path: str) -> Any:
    async with http.get(shown.gateway.url + path) as answer:
        assert answer.status == 200
        return await answer.json()


def added(records: list[Record]) -> dict[str, Any]:
    """The sum of records, one after another."""
    found: Counter[str] = Counter()
    for record in records:
        for name in FIGURES:
            found[name] += getattr(of_record(record), name)
    known = found["cached_tokens"] + found["processed_tokens"]
    return {**{name: found[name] for name in FIGURES}, "hit_rate": found["cached_tokens"] / known if known else None}


def figures(said: dict[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in (*FIGURES, "hit_rate")}


def by_cause(records: list[Record]) -> Counter[str]:
    found: Counter[str] = Counter()
    for record in records:
        if record.verdict is not None and record.verdict.lost:
            found[record.verdict.causes[0] if record.verdict.causes else ""] += record.verdict.lost
    return found


async def test_there_is_something_to_compare(shown: Shown) -> None:
    sums = added(shown.records)
    assert sums["lost_tokens"] > 0
    assert sums["failed"] == 1
    assert sums["unreported"] > 0


async def test_explain_tells_of_the_same_requests(shown: Shown) -> None:
    told = []
    for record in shown.records:
        paper = io.StringIO()
        print_explain(shown.path, record.id, Console(file=paper, width=200), as_json=True)
        told.append(msgspec.convert(json.loads(paper.getvalue())["request"], Record))
    assert added(told) == added(shown.records)
    assert told == shown.records


async def test_the_query_layer_and_the_api_say_the_same(shown: Shown, http: aiohttp.ClientSession) -> None:
    whole = added(shown.records)
    with Query(shown.path) as query:
        assert figures(msgspec.to_builtins(query.totals())) == whole
    totals = await get(http, shown, "/api/totals")
    assert figures(totals) == whole
    assert dict(totals["lost_by_cause"]) == by_cause(shown.records)
    assert (await get(http, shown, "/api/live"))["hit_rate"] == whole["hit_rate"]
    pages = await get(http, shown, "/api/requests?limit=1000")
    assert added(msgspec.convert(pages["records"], list[Record])) == whole


async def test_sessions_conversations_models_and_hours_add_up(shown: Shown, http: aiohttp.ClientSession) -> None:
    whole = added(shown.records)

    def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
        known = [msgspec.convert({name: row[name] for name in FIGURES}, Sums) for row in rows]
        found = {name: sum(getattr(one, name) for one in known) for name in FIGURES}
        return figures(msgspec.to_builtins(msgspec.convert(found, Sums)))

    sessions = (await get(http, shown, "/api/sessions"))["sessions"]
    assert together([one["sums"] for one in sessions]) == whole
    for one in sessions:
        answer = await get(http, shown, f"/api/sessions/{one['name']}")
        assert answer["session"] == one
        assert together([part["sums"] for part in answer["conversations"]]) == figures(one["sums"])
        assert figures(await get(http, shown, f"/api/totals?session={one['name']}")) == figures(one["sums"])
    models = (await get(http, shown, "/api/totals"))["by_model"]
    assert together([one["sums"] for one in models]) == whole
    buckets = (await get(http, shown, "/api/series?since=0&until=4e9&step=31536000"))["buckets"]
    assert together([one["sums"] for one in buckets]) == whole


async def test_costs_are_the_seconds_of_the_requests(shown: Shown, http: aiohttp.ClientSession) -> None:
    ms = sum(of_record(record).prompt_ms + of_record(record).output_ms for record in shown.records)
    assert (await get(http, shown, "/api/costs"))["gpu_seconds"] == pytest.approx(ms / 1000)


async def test_the_metrics_say_the_same(shown: Shown, http: aiohttp.ClientSession) -> None:
    async with http.get(shown.gateway.url + "/metrics") as answer:
        text = await answer.text()
    held: dict[str, float] = {}
    lost: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            held[sample.name] = held.get(sample.name, 0.0) + sample.value
            if sample.name == "keepwarm_lost_tokens_total":
                lost[sample.labels["cause"]] = sample.value
    whole = added(shown.records)
    for name, figure in (
        ("requests_total", "requests"),
        ("unreported_requests_total", "unreported"),
        ("prompt_tokens_total", "prompt_tokens"),
        ("prompt_tokens_reused_total", "cached_tokens"),
        ("prompt_tokens_processed_total", "processed_tokens"),
        ("generation_tokens_total", "output_tokens"),
        ("lost_tokens_total", "lost_tokens"),
        ("cache_misses_total", "misses"),
    ):
        assert held[f"keepwarm_{name}"] == whole[figure], name
    assert lost == by_cause(shown.records)


async def test_the_events_say_the_same(shown: Shown, http: aiohttp.ClientSession) -> None:
    """A listener that comes back after the first request gets all others."""
    first, *others = shown.records
    found: list[Record] = []
    async with http.get(shown.gateway.url + "/api/events", headers={"Last-Event-ID": first.id}) as answer:
        while len(found) < len(others):
            line = await answer.content.readline()
            if line.startswith(b'data: {"id"'):
                found.append(msgspec.json.decode(line[6:], type=Record))
    assert added(found) == added(others)


async def told(*arguments: str, said: str = "") -> str:
    """What a command prints."""
    run = [sys.executable, "-m", "keepwarm", *arguments]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = await asyncio.to_thread(subprocess.run, run, input=said, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_screens_for_people_say_the_same(shown: Shown) -> None:
    whole = added(shown.records)
    reused = words.share(whole["cached_tokens"], whole["cached_tokens"] + whole["processed_tokens"])
    lost = words.count(whole["lost_tokens"])
    ledger = ("--ledger", str(shown.path))
    top = await told("top", "--once", "--gateway", shown.gateway.url, *ledger)
    assert f"{whole['requests']} requests, {reused} reused" in top
    assert f"{words.short(whole['lost_tokens'])} again" in top
    report = await told("report", "--markdown", "-", *ledger)
    assert f"{whole['requests']} requests" in report
    assert f"({reused})" in report
    assert lost in report


async def test_the_status_line_says_what_the_session_says(shown: Shown) -> None:
    with Query(shown.path) as query:
        sums = query.totals(session="first-session")
    line = await told("statusline", "--ledger", str(shown.path), said='{"session_id": "first-session"}')
    assert words.share(sums.cached_tokens, sums.prompt_tokens) in line
    assert sums.lost_by_cause[0][0] in line
