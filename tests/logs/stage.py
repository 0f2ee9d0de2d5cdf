"""A session played live through a real gateway that observes, taped on the client's side, and the tape as log files."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.config import Config, override
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.shell.app import start_gateway
from keepwarm.testing.agent_player import ChatAnswer, MessagesAnswer
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.simulation import PerfectServer
from keepwarm.upstream.api import Outgoing
from tests.shell.stub import Seen, Stub, begin, running

Json = dict[str, Any]
KEY = "sk-ant-very-secret-0123456789"


class Taped(msgspec.Struct, frozen=True):
    """One request as the client sent it, and what came back."""

    at: float
    url: str
    headers: dict[str, str]
    body: bytes
    status: int
    answer_headers: dict[str, str]
    answer: bytes
    first_ms: float
    total_ms: float


class Live(msgspec.Struct, frozen=True):
    """What was taped, and what the gateway's ledger says of it, in the order in which it was written."""

    tape: tuple[Taped, ...]
    records: tuple[Record, ...]


async def play_live(scenario: Scenario, folder: Path, *, record: bool = False) -> Live:
    """Play a scenario through a gateway, to a server that has the latest prompt alone in its cache."""
    client = Client(scenario)
    server = PerfectServer(client, forgets=True)
    kind, path = ("anthropic", "/v1/messages") if scenario.shape == "messages" else ("chat", "/v1/chat/completions")

    async def respond(request: web.Request, seen: Seen) -> web.StreamResponse:
        response = await begin(request)
        await response.write(server.answer(Outgoing(path, seen.body)))
        return response

    stub = Stub(respond, path=path)
    stub.props = None
    tape: list[Taped] = []
    async with running(stub), aiohttp.ClientSession() as http:
        settings = override(
            Config(), port=0, upstream__url=stub.url, upstream__kind=kind, upstream__rewrite=False, exact=False,
            ledger__path=str(folder / "live.sqlite"), ledger__record=record,
        )  # fmt: skip
        gateway = await start_gateway(settings)
        try:
            for ask in client.plan.asks:
                sent = client.request(ask.number)
                taped = await _ask(http, f"{gateway.url}{sent.path}", dict(sent.headers), sent.body)
                tape.append(taped)
                client.hear(ask.number, *_heard(taped.answer, messages=scenario.shape == "messages"))
        finally:
            await gateway.stop()
    with Query(folder / "live.sqlite") as query:
        return Live(tuple(tape), tuple(reversed(query.page(limit=1000).records)))


async def _ask(http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes) -> Taped:
    headers = headers | {"x-api-key": KEY, "authorization": f"Bearer {KEY}"}
    at, began = time.time(), time.perf_counter()
    async with http.post(url, data=body, headers=headers) as response:
        first = (time.perf_counter() - began) * 1000
        answer = await response.read()
    await asyncio.sleep(0)  # the record is written behind the answer
    total = (time.perf_counter() - began) * 1000
    back = {name.lower(): value for name, value in response.headers.items()}
    return Taped(at, url, headers, body, response.status, back, answer, first, total)


def _heard(answer: bytes, *, messages: bool) -> tuple[list[str], str]:
    gathered = MessagesAnswer() if messages else ChatAnswer()
    for line in answer.split(b"\n"):
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            gathered.take(json.loads(line[5:]))
    blocks = gathered.blocks()
    signatures = [block.get("signature", "") for block in blocks if block["type"] == "thinking"]
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return calls, signatures[-1] if signatures else ""


# The tape as files


def har(tape: Iterable[Taped]) -> bytes:
    """As mitmproxy writes it; the newest first, and every other answer in base64."""
    entries = [_entry(number, one) for number, one in enumerate(tape)]
    log = {"version": "1.2", "creator": {"name": "a test", "version": "1"}, "pages": [], "entries": entries[::-1]}
    return json.dumps({"log": log}, indent=1).encode()


def _entry(number: int, one: Taped) -> Json:
    text = one.answer.decode()
    content: Json = {"size": len(one.answer), "mimeType": "text/event-stream", "text": text}
    if number % 2:
        content |= {"text": base64.b64encode(one.answer).decode(), "encoding": "base64"}
    return {
        "startedDateTime": datetime.fromtimestamp(one.at, UTC).isoformat(),
        "time": one.total_ms,
        "request": {
            "method": "POST",
            "url": one.url,
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": name.title(), "value": value} for name, value in one.headers.items()],
            "postData": {"mimeType": "application/json", "text": one.body.decode(), "params": []},
        },
        "response": {
            "status": one.status,
            "headers": [{"name": name, "value": value} for name, value in one.answer_headers.items()],
            "content": content,
            "_transferSize": 1,
        },
        "cache": {},
        "timings": {"connect": -1.0, "ssl": -1.0, "send": 0.0, "wait": one.first_ms, "receive": 1.0},
    }


def pairs(tape: Iterable[Taped]) -> bytes:
    """In keepwarm's own shape."""
    return b"".join(
        msgspec.json.encode(
            {
                "time": one.at,
                "url": one.url,
                "headers": one.headers,
                "request": msgspec.Raw(one.body),
                "status": one.status,
                "response_headers": one.answer_headers,
                "response": one.answer.decode(),
                "first_byte_ms": one.first_ms,
                "total_ms": one.total_ms,
            }
        )
        + b"\n"
        for one in tape
    )


def claude_trace(tape: Iterable[Taped]) -> bytes:
    """As claude-trace 1.0.3 writes it. It writes bodies anew, which changes nothing of what JSON.stringify has made."""
    return b"".join(
        msgspec.json.encode(
            {
                "request": {
                    "timestamp": one.at, "method": "POST", "url": one.url, "headers": one.headers,
                    "body": msgspec.Raw(one.body),
                },
                "response": {
                    "timestamp": one.at + one.first_ms / 1000, "status_code": one.status,
                    "headers": one.answer_headers, "body_raw": one.answer.decode(),
                },
                "logged_at": datetime.fromtimestamp(one.at + one.total_ms / 1000, UTC).isoformat(),
            }
        )
        + b"\n"
        for one in tape
    )  # fmt: skip


WRITERS: dict[str, Callable[[Iterable[Taped]], bytes]] = {"har": har, "jsonl": pairs, "claude-trace": claude_trace}
