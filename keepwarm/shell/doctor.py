"""`keepwarm doctor`: look at the agents, the settings, the gateway, the server, its template, its cache, its memory.

Nothing is changed, and nothing is written. The only thing that costs the server anything is the cache probe; what it
sends stands in the report, and without it (`--no-probe`) nothing is generated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from keepwarm import __version__
from keepwarm.checks.agents import judge_agents, softened
from keepwarm.checks.cache_probe import Probe, judge_probe
from keepwarm.checks.finding import Finding, Report, priced
from keepwarm.checks.habits import HabitsOf, Known
from keepwarm.checks.memory import judge_memory
from keepwarm.checks.server import judge_server
from keepwarm.checks.settings import judge_settings, plain_url, read_settings
from keepwarm.checks.template import judge_template
from keepwarm.clients.registry import CLIENTS, known_habits
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.config import LOCAL_PORTS, Config, check
from keepwarm.shell.client import Upstream
from keepwarm.shell.clients_here import installed_agents, settings_places
from keepwarm.shell.neighbour import WANTS_KEY, address
from keepwarm.shell.serve import find_upstreams
from keepwarm.shell.server_look import NoServer, look, look_at_template, probe_cache, what_was_sent
from keepwarm.shell.server_memory import MemoryReader
from keepwarm.upstream.api import Outgoing

_GATEWAY_SECONDS: Final = 5.0


class Surroundings(msgspec.Struct, frozen=True):
    """Where doctor looks besides the network."""

    home: Path
    folder: Path
    environment: Mapping[str, str]


class _Gateway(msgspec.Struct, frozen=True):
    """What listens at keepwarm's address."""

    url: str
    runs: bool = False
    upstream: str = ""
    finding: Finding | None = None


def habits_of(name: str, version: str) -> tuple[Known, ...]:
    """What is known of a version of an agent; nothing of a stranger."""
    known = known_habits(name, version) if name in CLIENTS else ()
    return tuple(Known(one.title, one.rules, one.strikes) for one in known)


def doctor(config: Config, around: Surroundings, *, probe: bool = True, habits: HabitsOf = habits_of) -> Report:
    """All that is found. `config` names the server (`upstream.url`) and the gateway; empty: they are looked for.

    Raises ConfigError for settings that cannot be.
    """
    return asyncio.run(examine(check(config), around, probe=probe, habits=habits))


async def examine(config: Config, around: Surroundings, *, probe: bool = True, habits: HabitsOf = habits_of) -> Report:
    """As `doctor`, in a running loop."""
    url, others = config.upstream.url, list[str]()
    gateway = await _gateway(address(config), config.key)
    if url:  # the address may be keepwarm's own: then the server behind it is meant too
        named = await _gateway(url.rstrip("/"), config.key)
        gateway = named if named.runs else gateway
        url = named.upstream if named.runs else url
    elif gateway.runs:
        url = gateway.upstream
    else:
        found = [found_url for found_url, _ in await find_upstreams()]
        url, others = (found[0], found[1:]) if found else ("", [])
    agents = await installed_agents(around.environment)
    settings = read_settings(around.environment, settings_places(around.home, around.folder, around.environment))
    findings = judge_agents(
        [(one.name, one.version, one.path) for one in agents], settings, gateway.url, gateway.runs, habits
    )
    findings += judge_settings(settings, gateway.url)
    findings.append(gateway.finding or _not_running(gateway.url, url))
    findings += [_another(one) for one in others]
    report = Report(keepwarm=__version__, server=plain_url(url) if url else "", findings=tuple(findings))
    if not url:
        return _told(report, [_nothing_found()], looked=False)
    upstream = Upstream(url, kind=config.upstream.kind, key=config.upstream.key, rewrite=config.upstream.rewrite)
    try:
        return await _server(report, upstream, probe)
    except NoServer as error:
        one = Finding(area="server", code=error.code, severity="bad", title=str(error), command=error.command)
        return _told(report, [one], looked=False)
    finally:
        await upstream.close()


async def _server(report: Report, upstream: Upstream, probe: bool) -> Report:
    server = await look(upstream)
    template = await look_at_template(upstream, server)
    if server.traits.first_party:
        measured = Probe(skipped="this is a provider, and each request costs money")
    elif not probe:
        measured = Probe(skipped="--no-probe was said")
    elif not server.traits.chat:
        measured = Probe(skipped="the server takes no chat completions")
    else:
        measured = await probe_cache(upstream, server)
    with MemoryReader(upstream.url) as memory:
        readings = await asyncio.to_thread(memory.read)
        findings = judge_memory(readings, memory.why_not)
    findings += judge_server(server) + judge_template(template) + judge_probe(measured, server.name)
    told = replace(report, rate=measured.rate, sent=what_was_sent(measured, server))
    return _told(told, findings)


def _told(report: Report, more: list[Finding], *, looked: bool = True) -> Report:
    return replace(report, findings=priced(softened([*report.findings, *more]), report.rate), looked=looked)


async def _gateway(url: str, key: str) -> _Gateway:
    """What listens there. keepwarm names itself at `/`, and its server at `/health`."""
    client = Upstream(url)
    shown: tuple[tuple[str, str], ...] = ()
    try:
        async with asyncio.timeout(_GATEWAY_SECONDS):
            status, body = await client.ask(Outgoing("/", b"", method="GET"))
            if key and _wants_key(status, body):  # nobody else is shown the key
                shown = (("x-api-key", key),)
                status, body = await client.ask(Outgoing("/", b"", shown, "GET"))
            _, health = await client.ask(Outgoing("/health", b"", shown, "GET"))
    except TimeoutError:
        return _Gateway(url, finding=_stranger(url))
    finally:
        await client.close()
    if status == 0:
        return _Gateway(url)
    if _wants_key(status, body):
        title = f"keepwarm runs at {url} and wants its key."
        command = "KEEPWARM_KEY=... keepwarm doctor"
        found = Finding(area="gateway", code="gateway-key", severity="warn", title=title, command=command)
        return _Gateway(url, finding=found)
    try:
        hello = msgspec.json.decode(body, type=_Hello)
        behind = msgspec.json.decode(health, type=_Health).upstream
    except UNREADABLE:
        return _Gateway(url, finding=_stranger(url))
    if hello.service != "keepwarm":
        return _Gateway(url, finding=_stranger(url))
    title = f"keepwarm {hello.version} runs at {url}, in front of {plain_url(behind)}."
    found = Finding(area="gateway", code="gateway", severity="ok", title=title)
    return _Gateway(url, True, behind, found)


def _wants_key(status: int, body: bytes) -> bool:
    """Whether this is a keepwarm that wants its key."""
    return status == 401 and WANTS_KEY.encode() in body


class _Hello(msgspec.Struct, frozen=True):
    service: str
    version: str = ""


class _Health(msgspec.Struct, frozen=True):
    upstream: str


def _stranger(url: str) -> Finding:
    return Finding(
        area="gateway",
        code="gateway-stranger",
        severity="warn",
        title=f"Something else than keepwarm listens at {url}.",
        command="keepwarm serve --port 8788",
    )


def _not_running(url: str, upstream: str) -> Finding:
    command = f"keepwarm serve --upstream {plain_url(upstream)}" if upstream else "keepwarm serve --engine demo"
    title = f"keepwarm does not run at {url}: agents talk to the server straight."
    return Finding(area="gateway", code="no-gateway", severity="info", title=title, command=command)


def _another(url: str) -> Finding:
    title = f"Another model server answers at {url}; it was not looked at."
    command = f"keepwarm doctor --upstream {url}"
    return Finding(area="server", code="another-server", severity="info", title=title, command=command)


def _nothing_found() -> Finding:
    ports = ", ".join(f"{port} ({name})" for port, name in LOCAL_PORTS)
    return Finding(
        area="server",
        code="nothing-found",
        severity="bad",
        title=f"No model server was found on this machine. Looked at 127.0.0.1: {ports}.",
        detail="Start one (llama-server -m model.gguf --jinja), or name one that runs elsewhere with --upstream "
        "http://HOST:PORT. keepwarm can also run one:",
        command="keepwarm serve --engine demo",
    )
