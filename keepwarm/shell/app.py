"""The composition root: settings become a running gateway."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from keepwarm.config import Config, check
from keepwarm.core.events import Failed, Progress
from keepwarm.engine.llama import Engine
from keepwarm.errors import ConfigError
from keepwarm.exchange.headers import JSON
from keepwarm.exchange.keeper import Call, Keeper, Manner
from keepwarm.exchange.life import Life, refusal
from keepwarm.ledger.records import Record, Recording
from keepwarm.ledger.store import Ledger
from keepwarm.rules.engine import RuleBook, rule_book
from keepwarm.session.journal import Journal
from keepwarm.shell import side_doors
from keepwarm.shell.client import Upstream
from keepwarm.shell.drive import Drive
from keepwarm.upstream.api import Traits
from keepwarm.upstream.registry import dialect
from keepwarm.wire.api import Front
from keepwarm.wire.fronts import FRONTS

log = logging.getLogger("keepwarm")
DRAIN_SECONDS: Final = 30.0
Watcher = Callable[[Record], None]


class Gateway:
    """A gateway that is running."""

    def __init__(self, config: Config, upstream: Upstream, ledger: Ledger | None, engine: Engine | None) -> None:
        self.config = config
        self.upstream = upstream
        self.ledger = ledger
        self.engine = engine
        self.url = ""
        """Where agents are pointed."""
        self.watchers: list[Watcher] = []
        """Called with each record as it is written."""
        self.progress: list[Callable[[str, Progress], None]] = []
        """Called while a long prefill goes on, with the request's id."""
        self.journal = Journal()
        self._keeper: Keeper | None = None
        self._traits: Traits | None = None
        self._runner: web.AppRunner | None = None

    async def keeper(self) -> Keeper | None:
        """The shared state towards the server, made anew when another server answers; None while none does."""
        traits = await self.upstream.traits()
        if traits is None:
            return None
        if self._keeper is None or traits != self._traits:
            config = self.config
            observe = config.upstream.rewrite is False or traits.first_party
            manner = Manner(config.keep, observe, config.ledger.record, config.upstream.slots)
            rules = rule_book(config.safety, config.rules.off, config.rules.on) if config.keep else RuleBook()
            self._traits = traits
            self._keeper = Keeper(dialect(traits, config.upstream.model), rules, self.journal, manner, traits.slots)
        return self._keeper

    def write(self, record: Record, recording: Recording | None) -> None:
        """Put a record into the ledger and show it to whoever watches."""
        if self.ledger is not None:
            self.ledger.put(record, recording)
        for watch in self.watchers:
            watch(record)

    def tell(self, call: str, progress: Progress) -> None:
        """Show how far a long prefill has come to whoever watches."""
        for watch in self.progress:
            watch(call, progress)

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(client_max_size=self.config.max_body, middlewares=[self._guard])
        for front in FRONTS.values():
            application.router.add_post(front.path, self._serve(front))
        side_doors.add(application, self)
        return application

    def _serve(self, front: Front) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            came = time.perf_counter()
            call_id = secrets.token_hex(12)
            try:
                body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                limit = self.config.max_body // (1024 * 1024)
                failed = Failed(413, f"the request is over {limit} MiB", "too_large")
                return _response(front, failed, call_id)
            keeper = await self.keeper()
            if keeper is None:
                where = self.upstream.url
                failed = Failed(502, f"no model server answers at {where}: start it, or name another with --upstream")
                return _response(front, failed, call_id)
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(call_id, time.time(), headers, body, request.query_string)
            return await Drive(Life(call, keeper, front), request, self.upstream, self.write, self.tell, came).run(
                front
            )

        return serve

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Whoever has to show a key shows it; a path that is not served is named in the protocol's own error."""
        front = FRONTS["anthropic"]
        if self.config.key:
            shown = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(shown.encode(), self.config.key.encode()):
                failed = Failed(401, "this gateway wants its key: put it where the agent's API key goes", "auth")
                return _response(front, failed, "")
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status in (404, 405):
                failed = Failed(error.status, f"keepwarm does not serve {request.method} {request.path}", "not_found")
                return _response(front, failed, "")
            raise

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
            raise ConfigError(
                f"port {self.config.port} on {self.config.host} is taken ({error.strerror}): choose another with --port"
            ) from error
        port = self._runner.addresses[0][1]
        host = self.config.host if ":" not in self.config.host else f"[{self.config.host}]"
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Take no more requests, let those in flight end (30 s), write the ledger down, stop the engine."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.upstream.close()
        if self.ledger is not None:
            await asyncio.to_thread(self.ledger.close)
        if self.engine is not None:
            await asyncio.to_thread(self.engine.stop)


async def start_gateway(config: Config, *, engine: Engine | None = None) -> Gateway:
    """A gateway for `config`, listening. `config.upstream.url` must be known by now.

    engine  is stopped together with it. Raises ConfigError and LedgerError saying what to change.
    """
    check(config)
    rule_book(config.safety, config.rules.off, config.rules.on)
    ledger = None if config.ledger.off else await asyncio.to_thread(Ledger, config.ledger_path)
    settings = config.upstream
    upstream = Upstream(settings.url, kind=settings.kind, key=settings.key, rewrite=settings.rewrite)
    gateway = Gateway(config, upstream, ledger, engine)
    try:
        await gateway.start()
    except BaseException:  # whoever asked for the gateway learns of it
        await gateway.stop()
        raise
    return gateway


def _response(front: Front, failed: Failed, call_id: str) -> web.Response:
    reply = refusal(front, failed, call_id)
    return web.Response(status=reply.status, headers=dict(reply.headers or JSON), body=reply.body)
