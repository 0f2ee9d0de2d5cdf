"""Looking at one model server from outside: what it is, what its template does, what its cache does."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Final

import msgspec

from keepwarm.checks import cache_probe
from keepwarm.checks.cache_probe import Measured, Probe, Step
from keepwarm.checks.server import QUESTIONS, Server, read_server
from keepwarm.checks.settings import plain_url
from keepwarm.checks.template import UNASKED, Template, detokenize, questions, read_template
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.config import LOCAL_PORTS
from keepwarm.shell.client import Upstream, is_provider
from keepwarm.upstream.api import Outgoing, Traits

QUESTION_SECONDS: Final = 10.0
PROBE_SECONDS: Final = 120.0
"""For one request of the probe: a prompt of 800 tokens on a slow machine."""
_NOT_THERE: Final = (404, 405, 501)


class NoServer(Exception):
    """Nothing to look at: its text is a sentence, `command` what to do.

    Not a KeepwarmError: doctor makes a finding of it.
    """

    def __init__(self, code: str, sentence: str, command: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.command = command


async def look(upstream: Upstream) -> Server:
    """The server at an address; a provider is not asked anything.

    Raises NoServer where none answers, or what answers is no model server.
    """
    url = plain_url(upstream.url)
    if is_provider(upstream.url):
        return Server(url, Traits("anthropic", first_party=True), "a provider")
    status, body = await _ask(upstream, Outgoing("/health", b"", method="GET"))
    if status == 0:
        raise NoServer(
            "nothing-listens",
            f"Nothing answers at {url}: start the server there.",
            "llama-server -m model.gguf --jinja",
        )
    if status == 503 and b"oading" in body:
        raise NoServer(
            "loading", f"The server at {url} still loads its model: wait, and look again.", "keepwarm doctor"
        )
    traits = await upstream.traits()
    if traits is None:
        raise NoServer(
            "loading", f"The server at {url} does not say what it is yet: wait, and look again.", "keepwarm doctor"
        )
    answers = {path: await _ask(upstream, question) for path, question in QUESTIONS.items()}
    status, body = answers["/v1/models"]
    if status in (401, 403):
        raise NoServer(
            "wants-key",
            f"The server at {url} wants its API key ({status}): put it into keepwarm.toml, under [upstream].",
            'key = "..."',
        )
    if traits.kind != "llamacpp" and not (status == 200 and _is_model_list(body)):
        raise NoServer(
            "no-model-server",
            f"Something answers at {url}, but it is no model server: /v1/models answers {status} and no list. "
            f"The usual ports: {', '.join(f'{port} {name}' for port, name in LOCAL_PORTS)}.",
            "keepwarm doctor --upstream http://HOST:PORT",
        )
    return read_server(url, traits, answers)


async def look_at_template(upstream: Upstream, server: Server) -> Template:
    """What the server's template does to a conversation; UNASKED where the server does not render one."""
    if server.traits.kind == "llamacpp":
        answers = {name: await _ask(upstream, question) for name, question in questions().items()}
        return read_template(server.template, answers)
    if server.name != "vLLM":
        return UNASKED
    answers = {}
    for name, question in questions(server.model).items():
        status, body = await _ask(upstream, question)
        reading = detokenize(server.model, body) if status == 200 else None
        answers[name] = (status, body) if reading is None else await _ask(upstream, reading)
    return read_template("", answers)


async def probe_cache(upstream: Upstream, server: Server) -> Probe:
    """The cache probe: as little as tells. Nothing is sent while every slot is busy."""
    slot = None
    if server.slots:
        free = [one for one in server.slots if not one.busy]
        if not free:
            return Probe(
                skipped="every slot is busy, and a conversation would lose its place; try again when one is idle"
            )
        slot = next((one.id for one in free if not one.held), None)
    model = server.model or "local"
    nonce = secrets.token_hex(8)
    steps: list[Measured] = []

    async def send(step: Step) -> Measured:
        question = cache_probe.request(step, nonce, model, slot)
        began = time.perf_counter()
        status, body = await _ask(upstream, question, PROBE_SECONDS)
        steps.append(cache_probe.read_answer(step, status, body, (time.perf_counter() - began) * 1000))
        return steps[-1]

    cold = await send("cold")
    if cold.status != 200:
        return Probe(tuple(steps))
    same = await send("same")
    reused = cache_probe.reuses(cold, same)
    if server.traits.kind == "llamacpp" and reused is not True:
        await send("asked")
    if reused is False:  # a changed head shows nothing where the same one is not reused either
        return Probe(tuple(steps))
    await send("line")
    await send("head")
    if await _takes_messages(upstream):
        await send("messages")
        await send("masked")
    return Probe(tuple(steps))


def what_was_sent(probe: Probe, server: Server) -> tuple[str, ...]:
    """What the probe sent, in words."""
    if not probe.steps:
        return ()
    tokens = probe.steps[0].prompt
    size = f"{tokens:,} tokens" if tokens else f"about {cache_probe.WORDS * 3} tokens"
    lines = [f"{len(probe.steps)} requests of {size} each, one token of answer, made-up words, no text of yours"]
    if server.slots:
        empty = any(not one.busy and not one.held for one in server.slots)
        lines.append("into a slot that was empty" if empty else "into the slot that was used longest ago")
    return tuple(lines)


async def _takes_messages(upstream: Upstream) -> bool:
    """Whether the server itself answers the Messages API: there an empty request is refused, elsewhere not found."""
    status, _ = await _ask(upstream, Outgoing("/v1/messages", b"{}", (("content-type", "application/json"),)))
    return status not in (0, *_NOT_THERE)


def _is_model_list(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=_Models)
    except UNREADABLE:
        return False
    return True


class _Model(msgspec.Struct, frozen=True):
    id: str


class _Models(msgspec.Struct, frozen=True):
    data: list[_Model]


async def _ask(upstream: Upstream, question: Outgoing, seconds: float = QUESTION_SECONDS) -> tuple[int, bytes]:
    """(status, body); status 0 when nothing came in time."""
    try:
        async with asyncio.timeout(seconds):
            return await upstream.ask(question)
    except TimeoutError:
        return 0, b""
