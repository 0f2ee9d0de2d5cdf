"""The experiment of `keepwarm verify`, played: every round each arm once, in an order that moves on with the round.

All arms share one server and one gateway, one after the other, so that a machine that grows slower meanwhile is slower
for all of them alike. Both ways go through a tap, which keeps what really went to the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Literal, TypeAlias

import aiohttp
import msgspec

from keepwarm.checks import cache_probe
from keepwarm.checks.memory import Reading
from keepwarm.checks.server_log import LINE
from keepwarm.checks.template import detokenize
from keepwarm.checks.trial import ARMS, Arm, Evidence, LogStory, MemoryPoint, Sample, Span, Way
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core.diff import common_prefix
from keepwarm.errors import UpstreamError
from keepwarm.shell.server_memory import MemoryReader
from keepwarm.testing.agent_player import GatewaySide, PlainSide, Side
from keepwarm.testing.reading_order import as_read
from keepwarm.testing.server_log import ServerLog
from keepwarm.testing.tap import Heard, Tap
from keepwarm.testing.verify_session import Style, VerifySession
from keepwarm.upstream.llamacpp import prompt_of

Endpoint: TypeAlias = Literal["chat", "messages"]
_MEMORY_SECONDS: Final = 0.25
_WARM_UP_REQUESTS: Final = 2
_LOG_SECONDS: Final = 0.5
"""For what the server has yet to write."""


class Setting(msgspec.Struct, frozen=True):
    """How the experiment is played."""

    rounds: int
    requests: int
    """Requests of each session, two at least."""
    tokens: int
    endpoint: Endpoint
    style: Style
    model: str


class Played(msgspec.Struct, frozen=True):
    """What came of it."""

    samples: tuple[Sample, ...]
    memory_of: str
    memory: tuple[MemoryPoint, ...]
    spans: tuple[Span, ...]
    log: LogStory | None = None
    """What the server's log said, where there was one to read."""


class MemoryWatch:
    """The server's memory, looked at four times a second while it is entered."""

    def __init__(self, url: str, pid: int | None, began: float) -> None:
        self.points: list[MemoryPoint] = []
        self.of = ""
        """What the points are of."""
        self._reader = MemoryReader(url, pid)
        self._began = began
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MemoryWatch:
        await asyncio.to_thread(self._reader.__enter__)
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._reader.__exit__(None, None, None)

    async def _watch(self) -> None:
        while True:
            self.of, used = counted(await asyncio.to_thread(self._reader.read))
            if self.of:
                self.points.append(MemoryPoint(time.monotonic() - self._began, used))
            await asyncio.sleep(_MEMORY_SECONDS)


def counted(readings: tuple[Reading, ...]) -> tuple[str, int]:
    """(what it is of, bytes): the server's part of the cards where that is told, else what is used on them, else the
    process's own memory."""
    cards = [one for one in readings if one.source != "process"]
    told = [one.server for one in cards if one.server is not None]
    if told:
        return "the server on the card", sum(told)
    if cards:
        return "all that is used on the card", sum(one.used for one in cards)
    used = sum(one.used for one in readings)
    return ("the server's process" if readings else ""), used


async def measure_rate(tap: Tap, model: str) -> float:
    """Tokens a second of prefill, from the last of a few small prompts; also wakes the server up.

    Raises UpstreamError where they are refused.
    """
    rate = 0.0
    async with aiohttp.ClientSession() as http:
        for _ in range(_WARM_UP_REQUESTS):
            question = cache_probe.request("cold", secrets.token_hex(8), model, None)
            began = time.perf_counter()
            async with http.post(tap.url + question.path, data=question.body, headers=dict(question.headers)) as answer:
                body = await answer.read()
                if answer.status != 200:
                    raise UpstreamError(f"the server refuses a chat completion ({answer.status}): {body[:300]!r}")
            one = cache_probe.read_answer("cold", 200, body, (time.perf_counter() - began) * 1000)
            new = (one.prompt or cache_probe.WORDS * 2) - (one.cached or 0)
            rate = new / max(one.prompt_ms or one.whole_ms, 0.1) * 1000
    tap.heard.clear()
    return rate


async def play_trial(
    setting: Setting,
    tap: Tap,
    gateway: str,
    server: str,
    pid: int | None,
    on_session: Callable[[], None],
    log: ServerLog | None = None,
) -> Played:
    """Play all rounds.

    tap         in front of the server
    gateway     keepwarm's address, behind which the tap is
    server      the server's own address
    pid         its process, where that is known
    on_session  hears of each session that has ended
    log         the server's, which is read along

    Raises UpstreamError for the first request that failed.
    """
    began = time.monotonic()
    samples: list[Sample] = []
    spans: list[Span] = []
    async with (
        MemoryWatch(server, pid, began) as memory,
        _sides(setting, tap, gateway) as sides,
        aiohttp.ClientSession() as http,
    ):
        for number in range(setting.rounds):
            shift = number % len(ARMS)
            for arm in (*ARMS[shift:], *ARMS[:shift]):
                start = time.monotonic() - began
                session = VerifySession(
                    secrets.token_hex(8), setting.tokens, header=arm.header, style=setting.style, model=setting.model
                )
                if log is not None:
                    log.begin(arm, session.id)
                reader = _Reader(http, tap.url)
                samples += await _session(setting, arm, number + 1, session, sides[arm.way], tap, reader)
                spans.append(Span(arm, number + 1, start, time.monotonic() - began))
                on_session()
        story = await _story(log, http, tap.url) if log is not None else None
    return Played(tuple(samples), memory.of, tuple(memory.points), tuple(spans), story)


async def _story(log: ServerLog, http: aiohttp.ClientSession, url: str) -> LogStory:
    """What the log says, to its end: a slot's last prompt is told when another takes its place."""
    for number in range(log.slots):
        body = {"messages": [{"role": "user", "content": "."}], "max_tokens": 1, "id_slot": number}
        async with http.post(f"{url}/v1/chat/completions", json=body) as answer:
            await answer.read()
    await asyncio.sleep(_LOG_SECONDS)
    return log.story()


@contextlib.asynccontextmanager
async def _sides(setting: Setting, tap: Tap, gateway: str) -> AsyncIterator[dict[Way, Side]]:
    async with GatewaySide(gateway) as warm:
        if setting.endpoint == "messages":
            async with GatewaySide(tap.url) as native:
                yield {"straight": native, "keepwarm": warm}
        else:
            async with PlainSide(tap.url) as plain:
                yield {"straight": plain, "keepwarm": warm}


async def _session(
    setting: Setting, arm: Arm, number: int, session: VerifySession, side: Side, tap: Tap, reader: _Reader
) -> list[Sample]:
    """One session of an arm: its requests one after the other."""
    samples: list[Sample] = []
    before = ""
    for place in range(1, setting.requests + 1):
        tap.heard.clear()
        blocks, turn = await side.send(session.request())
        session.receive(blocks)
        heard = tap.heard[-1] if tap.heard else Heard("", b"", 0)
        prompt, evidence = await reader.prompt(heard)
        kept = common_prefix(before, prompt) / len(before) if before and prompt else None
        samples.append(
            Sample(
                arm,
                number,
                place,
                turn.first_token_s,
                heard.prompt,
                heard.cached,
                LINE in prompt if prompt else None,
                kept,
                evidence,
            )
        )
        before = prompt
    return samples


class _Reader:
    """What the prompt of a request really was, the best evidence first."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def prompt(self, heard: Heard) -> tuple[str, Evidence]:
        """(text, where it is from): llama.cpp's slot, its template, else the body that was sent."""
        with contextlib.suppress(aiohttp.ClientError, *UNREADABLE):
            rows = await self._json("GET", "/slots")
            text = _newest(rows)
            if text:
                return text, "slots"
            if heard.path == "/v1/chat/completions":
                text = await self._rendered(heard.body)
                if text:
                    return text, "template"
        text = as_read(heard.body)
        return text, "sent" if text else ""

    async def _rendered(self, body: bytes) -> str:
        """The prompt that llama.cpp or vLLM makes of a body; "" where the server does not tell."""
        text = prompt_of(await self._post("/apply-template", body))
        if text:
            return text
        said = msgspec.json.decode(body, type=dict[str, Any])
        asked = {name: said[name] for name in ("model", "messages", "tools") if name in said}
        reading = detokenize(str(said.get("model")), await self._post("/tokenize", msgspec.json.encode(asked)))
        return "" if reading is None else prompt_of(await self._post(reading.path, reading.body))

    async def _post(self, path: str, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        async with self._http.post(self._url + path, data=body, headers=headers) as answer:
            return await answer.read()

    async def _json(self, method: str, path: str) -> Any:
        async with self._http.request(method, self._url + path) as answer:
            return msgspec.json.decode(await answer.read()) if answer.status == 200 else None


def _newest(slots: Any) -> str:
    """The prompt in the slot that worked last, where the server shows it (LLAMA_SERVER_SLOTS_DEBUG=1)."""
    if not isinstance(slots, list):
        return ""
    shown = [row for row in slots if isinstance(row, dict) and isinstance(row.get("prompt"), str)]
    return str(max(shown, key=lambda row: int(row.get("id_task") or 0))["prompt"]) if shown else ""
