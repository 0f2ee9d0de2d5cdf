"""`keepwarm doctor`: look at the agents, the settings, the gateway, and each server: its template, cache and memory.

Nothing is changed, and nothing is written. The only thing that costs a server anything is the cache probe; what it
sends stands in the report, and without it (`--no-probe`) nothing is generated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from keepwarm import __version__
from keepwarm.checks.agents import judge_agents, softened
from keepwarm.checks.cache_probe import Probe, judge_probe
from keepwarm.checks.finding import Finding, Report, ServerReport, priced
from keepwarm.checks.habits import HabitsOf, Known
from keepwarm.checks.memory import judge_memory
from keepwarm.checks.server import judge_server
from keepwarm.checks.settings import judge_settings, plain_url, read_settings
from keepwarm.checks.template import judge_template
from keepwarm.clients.registry import CLIENTS, known_habits
from keepwarm.config import LOCAL_PORTS, Config, UpstreamSettings, check, override
from keepwarm.errors import AddressTaken
from keepwarm.shell.client import Upstream
from keepwarm.shell.clients_here import installed_agents, settings_places
from keepwarm.shell.neighbour import Neighbour, address, find
from keepwarm.shell.serve import find_upstreams
from keepwarm.shell.server_look import NoServer, look, look_at_template, probe_cache, what_was_sent
from keepwarm.shell.server_memory import MemoryReader

_BEHIND: Final = "behind keepwarm"


class Surroundings(msgspec.Struct, frozen=True):
    """Where doctor looks besides the network."""

    home: Path
    folder: Path
    environment: Mapping[str, str]


class _Place(msgspec.Struct, frozen=True):
    """A server to look at."""

    url: str
    known: tuple[str, ...]
    """As in ServerReport."""
    named: bool = False
    """Whether the settings mean it: only then its key, its kind and the like are sent to it."""


class _Keepwarms:
    """Every keepwarm that was met, so that none is taken for a model server, and what stands behind it is."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.findings: dict[str, Finding] = {}
        self.running: dict[str, Neighbour] = {}

    async def meet(self, url: str) -> Neighbour | None:
        """The keepwarm at an address, asked once; None where there is none, or it does not talk to us."""
        place = _bare(url)
        if place in self.findings or place in self.running:
            return self.running.get(place)
        if not url.startswith("http://"):  # keepwarm itself speaks no TLS, and a provider is not asked anything
            return None
        try:
            found = await asyncio.to_thread(find, url, self._key)
        except AddressTaken as error:
            self.findings[place] = _closed(url) if error.wants_key else _stranger(url)
            return None
        if found is not None:
            self.running[place] = found
            version = f"keepwarm {found.version}".rstrip()
            title = f"{version} runs at {plain_url(url)}, in front of {plain_url(found.upstream)}."
            self.findings[place] = Finding(area="gateway", code="gateway", severity="ok", title=title)
        return found


def habits_of(name: str, version: str) -> tuple[Known, ...]:
    """What is known of a version of an agent; nothing of a stranger."""
    known = known_habits(name, version) if name in CLIENTS else ()
    return tuple(Known(one.title, one.rules, one.strikes) for one in known)


def doctor(
    config: Config, around: Surroundings, *, upstream: str = "", probe: bool = True, habits: HabitsOf = habits_of
) -> Report:
    """All that is found.

    upstream  the one server to look at; "" = those of `config`, of a gateway that runs, and of the usual local ports

    Raises ConfigError for settings that cannot be.
    """
    if upstream:
        config = override(config, upstream__url=upstream, engine="")
    return asyncio.run(examine(check(config), around, alone=bool(upstream), probe=probe, habits=habits))


async def examine(
    config: Config, around: Surroundings, *, alone: bool = False, probe: bool = True, habits: HabitsOf = habits_of
) -> Report:
    """As `doctor`, in a running loop; `alone` when the server of `config` is the only one to look at."""
    keepwarms = _Keepwarms(config.key)
    home = address(config)
    places = await _places(config, alone, keepwarms)
    agents = await installed_agents(around.environment)
    settings = read_settings(around.environment, settings_places(around.home, around.folder, around.environment))
    gateway = keepwarms.running.get(_bare(settings.base_url)) or next(iter(keepwarms.running.values()), None)
    url = gateway.url if gateway is not None else home
    rows = [(one.name, one.version, one.path) for one in agents]
    findings = judge_agents(rows, settings, url, gateway is not None, habits)
    findings += judge_settings(settings, url)
    # A stranger counts where keepwarm would listen; elsewhere it may be the very server.
    findings += [one for place, one in keepwarms.findings.items() if place in keepwarms.running or place == _bare(home)]
    if gateway is None and _bare(home) not in keepwarms.findings:
        findings.append(_not_running(home, places[0].url if places else ""))
    servers = [await _server(place, config, probe) for place in places]  # one after the other: times are measured
    looked = [{one.code for one in server.findings} for server in servers if server.looked]
    findings = softened(findings, set.intersection(*looked) if looked else ())
    if not places:
        findings.append(_nothing_found())
    rate = next((server.rate for server in servers if server.rate), None)
    return Report(keepwarm=__version__, findings=priced(findings, rate), servers=tuple(servers))


async def _places(config: Config, alone: bool, keepwarms: _Keepwarms) -> list[_Place]:
    """Each model server once: the one of the settings, the one behind the gateway, those on the usual ports."""
    url = config.upstream.url
    home = await keepwarms.meet(address(config))
    met = [(url, "named" if alone else "in keepwarm.toml")] if url else []
    if not alone:
        met += [(home.upstream, _BEHIND)] if home is not None else []
        met += [(found, "found here") for found, _ in await find_upstreams()]
    places: dict[str, _Place] = {}
    for where, known in met:
        between = await keepwarms.meet(where)
        server, how = (where, known) if between is None else (between.upstream, _BEHIND)
        before = places.get(_bare(server), _Place(server, (), not url))
        words = before.known if how in before.known else (*before.known, how)
        places[_bare(server)] = _Place(before.url, words, before.named or where == url)
    return list(places.values())


def _bare(url: str) -> str:
    """An address as it is compared: `localhost` is 127.0.0.1, and what stands behind the port says no other server."""
    parts = urlsplit(plain_url(url))
    host = "127.0.0.1" if parts.hostname in ("localhost", "::1") else parts.hostname or ""
    return f"{parts.scheme}://{host}:{parts.port or ''}{parts.path.removesuffix('/v1')}"


async def _server(place: _Place, config: Config, probe: bool) -> ServerReport:
    to = config.upstream if place.named else UpstreamSettings()
    upstream = Upstream(place.url, kind=to.kind, key=to.key, rewrite=to.rewrite)
    report = ServerReport(url=plain_url(place.url), known=place.known)
    try:
        return await _looked_at(report, upstream, probe)
    except NoServer as error:
        one = Finding(area="server", code=error.code, severity="bad", title=str(error), command=error.command)
        return replace(report, looked=False, findings=(one,))
    finally:
        await upstream.close()


async def _looked_at(report: ServerReport, upstream: Upstream, probe: bool) -> ServerReport:
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
    rate = measured.rate
    mending = "keepwarm run claude" if _BEHIND in report.known else f"keepwarm serve --upstream {report.url}"
    findings = [replace(one, command=mending) if one.command == "keepwarm serve" else one for one in findings]
    return replace(report, rate=rate, sent=what_was_sent(measured, server), findings=priced(findings, rate))


def _closed(url: str) -> Finding:
    title = f"keepwarm runs at {plain_url(url)} and wants its key."
    command = "KEEPWARM_KEY=... keepwarm doctor"
    return Finding(area="gateway", code="gateway-key", severity="warn", title=title, command=command)


def _stranger(url: str) -> Finding:
    return Finding(
        area="gateway",
        code="gateway-stranger",
        severity="warn",
        title=f"Something else than keepwarm listens at {plain_url(url)}.",
        command="keepwarm serve --port 8788",
    )


def _not_running(url: str, upstream: str) -> Finding:
    command = f"keepwarm serve --upstream {plain_url(upstream)}" if upstream else "keepwarm serve --engine demo"
    title = f"keepwarm does not run at {url}: agents talk to the server straight."
    return Finding(area="gateway", code="no-gateway", severity="info", title=title, command=command)


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
