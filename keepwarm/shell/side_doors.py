"""What agents ask besides answers: whether the gateway is there, which models it has, how long a prompt is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from aiohttp import web
from msgspec.structs import replace

from keepwarm import __version__
from keepwarm.codec.json_text import UNREADABLE
from keepwarm.errors import ClientError
from keepwarm.exchange.headers import JSON, back, onward
from keepwarm.exchange.stabilise import Stabiliser
from keepwarm.session.journal import Journal
from keepwarm.upstream import llamacpp
from keepwarm.upstream.api import Outgoing
from keepwarm.wire.api import Front
from keepwarm.wire.fronts import FRONTS

if TYPE_CHECKING:
    from keepwarm.exchange.keeper import Keeper, Terms
    from keepwarm.shell.app import Gateway

FRONT = web.RequestKey("front", Front)
"""In whose protocol a request is."""
HEADERS = web.RequestKey("headers", Mapping[str, str])
"""A request's headers, names in lower case, without the gateway's own key."""
BYTES_PER_TOKEN = 3.6
"""For servers that cannot count: what code and English come to with the tokenizers of 2025 and 2026."""


def add(application: web.Application, gateway: Gateway) -> None:
    """Put the side doors into the routes."""
    doors = _Doors(gateway)
    application.router.add_get("/", doors.hello)
    application.router.add_get("/api/hello", doors.hello)
    application.router.add_get("/health", doors.health)
    application.router.add_get("/v1/models", doors.models)
    application.router.add_get("/v1/models/{name:.+}", doors.model)
    application.router.add_post("/v1/messages/count_tokens", doors.count)
    application.router.add_route("*", "/{path:.*}", doors.pass_through)


def nobody(gateway: Gateway) -> web.HTTPBadGateway:
    """What is raised where no model server can answer."""
    where = gateway.upstream.url
    said = f"no model server answers at {where}, or it still loads: start it, or name another with --upstream"
    return web.HTTPBadGateway(text=said)


class _Doors:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def hello(self, _: web.Request) -> web.Response:
        """The start-up probes of agents, and a person with a browser."""
        served = {front.name: front.path for front in FRONTS.values()}
        return web.json_response({"service": "keepwarm", "version": __version__, **served})

    async def health(self, request: web.Request) -> web.Response:
        """Whether the model server answers and what it is, for `keepwarm run`, `fix` and `doctor`."""
        keeper = await self._gateway.keeper(request[HEADERS])
        state: dict[str, Any] = {
            "status": "ok" if keeper else "no model server",
            "service": "keepwarm",
            "version": __version__,
            "pid": os.getpid(),
            "upstream": self._gateway.upstream.url,
        }
        traits = await self._gateway.upstream.traits() if keeper else None
        if traits is not None:
            state |= {"kind": traits.kind, "model": traits.model, "slots": traits.slots, "context": traits.context}
            state["first_party"] = traits.first_party
        return web.json_response(state, status=200 if keeper else 503)

    async def models(self, request: web.Request) -> web.StreamResponse:
        """The server's models, in the caller's shape."""
        keeper, front = await self._gateway.keeper(request[HEADERS]), request[FRONT]
        if keeper is not None and keeper.same_protocol(front.name):
            return await self.pass_through(request)
        rows = [_row(front, *row) for row in await self._rows()]
        if front.name == "chat":
            return web.json_response({"object": "list", "data": rows})
        ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
        return web.json_response({"data": rows, "has_more": False, **ends})

    async def model(self, request: web.Request) -> web.StreamResponse:
        """One model. A server with one model answers to any name, and so does this."""
        keeper, front = await self._gateway.keeper(request[HEADERS]), request[FRONT]
        if keeper is not None and keeper.same_protocol(front.name):
            return await self.pass_through(request)
        name = request.match_info["name"]
        known = dict(await self._rows())
        return web.json_response(_row(front, name, known.get(name)))

    async def count(self, request: web.Request) -> web.StreamResponse:
        """How many tokens a prompt has: as the server's own template and tokenizer say, where it tells."""
        keeper = await self._gateway.keeper(request[HEADERS])
        front = FRONTS["anthropic"]
        body = await request.read()
        if keeper is not None and keeper.same_protocol(front.name):
            return await self._passed(request, _as_sent(body, keeper, request[HEADERS]))
        try:
            tokens = await self._count(body, keeper, request[HEADERS])
        except ClientError as error:
            status, said = front.error(error.error_status_hint, error.kind or "bad_request", str(error), "")
            return web.Response(status=status, headers=dict(JSON), body=said)
        return web.json_response({"input_tokens": tokens})

    async def pass_through(self, request: web.Request) -> web.StreamResponse:
        """Anything else goes to a server of the client's own protocol as it is.

        Of a caller that shows no protocol only what belongs to one: llama.cpp's own `/slots` are keepwarm's to manage.
        """
        keeper, front = await self._gateway.keeper(request[HEADERS]), request[FRONT]
        if front.name == "chat" and not request.path.startswith("/v1/"):
            raise web.HTTPNotFound
        if keeper is None and front.name == "chat":
            raise nobody(self._gateway)
        if keeper is None or not keeper.same_protocol(front.name):
            raise web.HTTPNotFound
        return await self._passed(request, await request.read())

    async def _passed(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """What the server answers to a request of its own protocol, with `body` for its body."""
        onwards = onward(request[HEADERS], (), same_protocol=True)
        outgoing = Outgoing(request.path_qs, body, onwards, request.method)
        upstream = self._gateway.upstream
        try:
            begun = await upstream.begin(outgoing)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            upstream.forget()
            raise nobody(self._gateway) from error
        async with begun as answer:
            said = {name.lower(): value for name, value in answer.headers.items()}
            response = web.StreamResponse(status=answer.status, headers=dict(back(said)))
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response

    async def _rows(self) -> list[tuple[str, object]]:
        """(name, when it was made) of each model."""
        status, body = await self._gateway.upstream.ask(Outgoing("/v1/models", b"", method="GET"))
        try:
            said = msgspec.json.decode(body, type=dict[str, Any]) if status == 200 else {}
        except UNREADABLE:
            said = {}
        data = said.get("data")
        names = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
        return [(str(row.get("id", "")).rsplit("/", 1)[-1], row.get("created")) for row in names]

    async def _count(self, body: bytes, keeper: Keeper | None, headers: Mapping[str, str]) -> int:
        front = FRONTS["anthropic"]
        terms = None if keeper is None else keeper.terms(front.name)
        if terms is None or not isinstance(terms.dialect, llamacpp.LlamaCpp):
            front.parse(body)
            return max(1, round(len(body) / BYTES_PER_TOKEN))
        ask = self._gateway.upstream.ask
        status, rendered = await ask(llamacpp.render(_first(body, terms, headers)))
        counting = llamacpp.tokenize(rendered) if status == 200 else None
        if counting is not None:
            status, counted = await ask(counting)
            tokens = llamacpp.tokens(counted) if status == 200 else None
            if tokens is not None:
                return tokens
        return max(1, round(len(body) / BYTES_PER_TOKEN))


def _first(body: bytes, terms: Terms, headers: Mapping[str, str]) -> Outgoing:
    """A Messages body as it would go upstream at the beginning of a conversation. Raises ClientError."""
    front = FRONTS["anthropic"]
    parsed = front.parse(body)
    # A journal of its own: counting must not change what stands.
    rules = terms.books.book(front.identity(headers, parsed).client)
    stable = Stabiliser(Journal(), rules, terms.dialect, front).run(parsed, "", "")
    return terms.dialect.request(replace(stable.draft, untouched=terms.manner.observe))


def _as_sent(body: bytes, keeper: Keeper, headers: Mapping[str, str]) -> bytes:
    """The body of a question how long a prompt is, asked of what would go upstream; the client's own where keepwarm
    only observes, or cannot read it: then the server says what is wrong with it."""
    terms = keeper.terms(FRONTS["anthropic"].name)
    if terms.manner.observe:
        return body
    try:
        return _first(body, terms, headers).body
    except ClientError:
        return body


def _row(front: Front, name: str, created: object) -> dict[str, Any]:
    if front.name == "chat":
        seconds = int(created) if isinstance(created, int | float) else 0
        return {"id": name, "object": "model", "created": seconds, "owned_by": "keepwarm"}
    return {"type": "model", "id": name, "display_name": name, "created_at": _moment(created)}


def _moment(created: object) -> str:
    seconds = created if isinstance(created, int | float) else 0
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
