"""The composition root: settings become a running gateway."""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec

from aiohttp import web

from keepwarm.config import Config, check
from keepwarm.core.events import Failed, Progress
from keepwarm.core.secret import Address, Parcel
from keepwarm.engine.llama import Engine
from keepwarm.errors import ConfigError
from keepwarm.exchange.headers import onward
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.life import Life, refusal
from keepwarm.exchange.story import unserved
from keepwarm.ledger.archive import Limits
from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.store import Ledger
from keepwarm.rules.engine import RuleBook
from keepwarm.session.archive import Conversation
from keepwarm.session.journal import Journal
from keepwarm.session.seat_table import Guest, SeatTable
from keepwarm.shell import side_doors, ui
from keepwarm.shell.api import covers
from keepwarm.shell.client import Upstream
from keepwarm.shell.desk import Desk
from keepwarm.shell.drive import Drive
from keepwarm.shell.extensions import load_extensions
from keepwarm.shell.guard import Guard
from keepwarm.shell.inquiries import Inquiries
from keepwarm.shell.live import Now
from keepwarm.shell.look_up import LookUp
from keepwarm.shell.neighbour import WANTS_KEY
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialects
from keepwarm.views.rule import RuleList
from keepwarm.wire.api import Front
from keepwarm.wire.fronts import FRONTS, front_of

log = logging.getLogger("keepwarm")
DRAIN_SECONDS: Final = 30.0
Watcher = Callable[[Record], None]
P = ParamSpec("P")


class Gateway:
    """A gateway that is running."""

    def __init__(
        self, config: Config, upstream: Upstream, ledger: Ledger | None, engine: Engine | None, rules: RuleList
    ) -> None:
        self.config = config
        self.upstream = upstream
        self.ledger = ledger
        self.engine = engine
        self.shelf = rules.shelf
        self.url = ""
        """Where agents are pointed."""
        self.watchers: list[Watcher] = []
        """Called with each record as it is written."""
        self.amended: list[Watcher] = []
        """Called with each record whose verdict is a better one now: its line has been printed, and is not again."""
        self.inquiries = Inquiries(upstream, self.amend, self.started_anew)
        self.progress: list[Callable[[str, Progress], None]] = []
        """Called while a long prefill goes on, with the request's id."""
        self.journal = Journal()
        self.now = Now()
        """The requests that are being served, and what else happens at this moment."""
        self.desk = Desk(self, rules)
        """Whoever looks on."""
        self._guard = Guard(config)
        self._look_up = LookUp(ledger) if ledger is not None and ledger.archive is not None else None
        self._keeper: Keeper | None = None
        self._traits: Traits | None = None
        self._runner: web.AppRunner | None = None

    async def keeper(self, headers: Mapping[str, str]) -> Keeper | None:
        """The shared state towards the server, made anew when another server answers; None while none does.

        headers  of the request that wants it: a server may want to see the client's key before it tells of itself
        """
        known = dict(onward(headers, (), same_protocol=False))
        traits = await self.upstream.traits(known.get("authorization", ""))
        if traits is None:
            if self._keeper is not None:
                self._keeper.lost()
            return None
        if self._keeper is None or traits != self._traits:
            config = self.config
            observe = config.upstream.rewrite is False or traits.first_party
            manner = Manner(
                config.keep,
                observe,
                config.ledger.record,
                config.upstream.slots,
                config.marks(),
                config.ways(),
                archive=self._look_up is not None and config.keep,
            )
            rules = self.shelf if config.keep else RuleBook()
            self._traits = traits
            spoken = dialects(traits, config.upstream.model)
            before = self._tenants() if self._keeper is None else ()
            self._keeper = Keeper(
                traits.kind,
                spoken,
                rules,
                self.journal,
                manner,
                traits.slots,
                traits.context,
                before,
                traits.memory,
                traits.block,
            )
        return self._keeper

    def write(self, record: Record, recording: Recording | None = None, parcel: Parcel | None = None) -> None:
        """Put a record, and what stands since, into the ledger; show the record to whoever watches."""
        if self.ledger is not None:
            self.ledger.put(record, recording, parcel)
        _show(self.watchers, record)

    async def fetch(self, address: Address, others: bool) -> tuple[Conversation, ...]:
        """What the ledger keeps of a conversation."""
        return () if self._look_up is None else await self._look_up.fetch(address, others)

    def amend(self, record: Record) -> None:
        """Put the verdict of a record in the place of the one that was written."""
        if self.ledger is not None and record.verdict is not None:
            self.ledger.amend(record.id, record.verdict)
        _show(self.amended, record)

    def started_anew(self) -> None:
        """The server was started anew since: what it held then is gone."""
        if self._keeper is not None:
            self._keeper.lost()

    def tell(self, call: str, progress: Progress) -> None:
        """Show how far a long prefill has come to whoever watches."""
        _show(self.progress, call, progress)

    @property
    def seats(self) -> SeatTable:
        """Who sits in the server's slots."""
        return SeatTable() if self._keeper is None else self._keeper.table

    def unsettled(self, call: str) -> bool:
        """Whether the verdict on a request may still be amended."""
        life = self.now.life(call)
        asking = life is not None and life.question is not None and self.config.exact
        return asking or self.inquiries.has(call)

    def _tenants(self) -> list[tuple[Guest, int | None]]:
        """Who was in the server's slots when the ledger was opened."""
        tenants = () if self.ledger is None else self.ledger.tenants
        return [(Guest(one.lineage, one.session, one.kind), one.slot) for one in tenants]

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(client_max_size=self.config.max_body, middlewares=[self._check])
        for front in FRONTS.values():
            application.router.add_post(front.path, self._serve(front))
        self.desk.api.add(application)
        ui.add(application)
        side_doors.add(application, self)
        return application

    def _serve(self, front: Front) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            came = time.perf_counter()
            body = await request.read()
            call = Call(secrets.token_hex(12), time.time(), request[side_doors.HEADERS], body, request.query_string)
            keeper = await self.keeper(call.headers)
            if keeper is None:
                self.write(unserved(call, front.name, self.upstream.url))
                raise side_doors.nobody(self)
            life = Life(call, keeper, front)
            self.now.begin(life)
            self.desk.changed()
            try:
                with self.inquiries.aside():
                    return await Drive(life, request, self, came).run(front)
            finally:
                self.now.end(life)
                if life.question is not None and self.config.exact:
                    self.inquiries.put(life.question)

        return serve

    @web.middleware
    async def _check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Whoever has to show a key shows it; what aiohttp refuses is refused in the words of the caller's protocol."""
        # A header that is there twice is one list (RFC 9110, 5.3): `anthropic-beta` may be.
        headers = {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}
        front = request[side_doors.FRONT] = front_of(request.path, headers)
        if covers(request.path):
            request[side_doors.HEADERS] = {}  # whoever looks on has no business with the model server
            return await self.desk.api.guarded(self._guard, request, headers, handler)
        if self.config.key:
            shown = _shown(headers, self.config.key)
            if shown is None:
                failed = Failed(401, f"{WANTS_KEY}: put it where the agent's API key goes", "auth")
                return _response(front, failed)
            # It opens this door, and the model server has no business with it.
            del headers[shown]
        request[side_doors.HEADERS] = headers
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _response(front, _refused(error, request, self.config.max_body))

    async def start(self) -> None:
        """Listen."""
        self._runner = web.AppRunner(
            self.application(), handler_cancellation=True, access_log=None, shutdown_timeout=DRAIN_SECONDS
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.config.host, self.config.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            host, port = self.config.host, self.config.port
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"port {port} on {host} is taken: choose another with --port") from error
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise ConfigError(f"cannot listen on {host}, port {port} ({reason}): choose with --host, --port") from error
        port = self._runner.addresses[0][1]
        host = self.config.host if ":" not in self.config.host else f"[{self.config.host}]"
        self.url = f"http://{host}:{port}"
        await self.desk.start()

    async def stop(self) -> None:
        """Take no more requests, let those in flight end (30 s), write the ledger down, stop the engine."""
        self.desk.part()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.inquiries.stop()
        await self.desk.stop()
        await self.upstream.close()
        if self._look_up is not None:
            self._look_up.close()
        if self.ledger is not None:
            await asyncio.to_thread(self.ledger.close)
        if self.engine is not None:
            await asyncio.to_thread(self.engine.stop)


async def start_gateway(config: Config, *, engine: Engine | None = None) -> Gateway:
    """A gateway for `config`, listening. `config.upstream.url` must be known by now.

    engine  is stopped together with it. Raises ConfigError and LedgerError saying what to change.
    """
    check(config)
    extensions = load_extensions()
    for refused in extensions.refused:
        log.warning("%s", refused)
    rules = RuleList(
        config.shelf(extension.rule for extension in extensions.rules),
        config.upstream.rewrite is not False and config.keep,
        {extension.rule.code: extension.source for extension in extensions.rules},
        [str(refusal) for refusal in extensions.refused],
    )
    ledger = None if config.ledger.off else await asyncio.to_thread(_open_ledger, config)
    settings = config.upstream
    upstream = Upstream(settings.url, kind=settings.kind, key=settings.key, rewrite=settings.rewrite)
    gateway = Gateway(config, upstream, ledger, engine, rules)
    try:
        await gateway.start()
    except BaseException:  # whoever asked for the gateway learns of it
        await gateway.stop()
        raise
    return gateway


def _open_ledger(config: Config) -> Ledger:
    limits = Limits(config.ledger.keep_days, config.ledger.keep_bytes) if config.ledger.journal else None
    return Ledger(
        config.ledger_path, server=config.upstream.url, limits=limits, records_days=config.ledger.records_days
    )


def _show(watchers: list[Callable[P, None]], *args: P.args, **kwargs: P.kwargs) -> None:
    for watch in tuple(watchers):
        try:
            watch(*args, **kwargs)
        except Exception:  # the log learns of it: a terminal that is closed must not break the answer
            log.exception("%r watches no more: it failed", watch)
            watchers.remove(watch)


def _shown(headers: Mapping[str, str], key: str) -> str | None:
    """The header that shows `key`; None when none does."""
    for name, prefix in (("x-api-key", ""), ("authorization", "Bearer ")):
        shown = headers.get(name, "").removeprefix(prefix)
        # Bytes that are no UTF-8 arrive as surrogates.
        if hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), key.encode()):
            return name
    return None


def _refused(error: web.HTTPException, request: web.Request, max_body: int) -> Failed:
    if error.status == 413:
        return Failed(413, f"the request is over {max_body // (1024 * 1024)} MiB", "too_large")
    if error.status in (404, 405):
        served = " and ".join(f"POST {front.path}" for front in FRONTS.values())
        said = f"keepwarm does not serve {request.method} {request.path}: it serves {served}"
        return Failed(error.status, said, "not_found")
    return Failed(error.status, error.text or error.reason, "bad_request" if error.status < 500 else "server")


def _response(front: Front, failed: Failed) -> web.Response:
    reply = refusal(front, failed, "")
    return web.Response(status=reply.status, headers=dict(reply.headers), body=reply.body)
