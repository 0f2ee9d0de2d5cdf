"""The gateway's JSON API: one table, from which the routes and the OpenAPI document are made.

Everything is read, nothing is changed. What is in the ledger is asked of its query layer in another thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from aiohttp import web

from keepwarm.errors import LedgerError
from keepwarm.ledger.query import Page, Query
from keepwarm.ledger.sessions import SessionPage
from keepwarm.ledger.sums import Totals
from keepwarm.shell import questions
from keepwarm.shell.guard import HEADERS, Guard, Refused, refusal
from keepwarm.views import rule
from keepwarm.views.answers import Explanation, Live, Series, SessionAnswer
from keepwarm.views.cost import Cost
from keepwarm.views.openapi import document
from keepwarm.views.segments import Diff, Segments

if TYPE_CHECKING:
    from keepwarm.shell.desk import Desk

_JSON: Final = "application/json"


class Nothing(msgspec.Struct, frozen=True):
    """No parameters."""


class RuleAsked(msgspec.Struct, frozen=True):
    """Which rule."""

    code: Annotated[str, msgspec.Meta(max_length=64)]
    """VOL001, ..."""


class Route(msgspec.Struct, frozen=True):
    """One question."""

    path: str
    asked: type[msgspec.Struct]
    answer: Any
    summary: str
    question: Callable[[Query, Any], object] | None = None
    """Puts it to the ledger; None where the gateway itself answers, by the method of `Api` named in `own`."""
    own: str = ""
    media: str = _JSON


ROUTES: Final = (
    Route("/api/totals", questions.Span, Totals, "Sums over the requests of a span.", questions.totals),
    Route("/api/sessions", questions.SessionsAsked, SessionPage, "The sessions, newest first.", questions.sessions),
    Route(
        "/api/sessions/{name}",
        questions.Named,
        SessionAnswer,
        "One session and its conversations.",
        questions.session,
    ),
    Route("/api/requests", questions.RequestsAsked, Page, "Requests, newest first.", questions.requests),
    Route(
        "/api/requests/{id}",
        questions.Which,
        Explanation,
        "Why a request was processed as it was.",
        questions.explanation,
    ),
    Route(
        "/api/requests/{id}/segments",
        questions.Which,
        Segments,
        "A prompt as a row of segments: what stood, what changed, what is new.",
        questions.segments_of,
    ),
    Route(
        "/api/requests/{id}/diff",
        questions.Which,
        Diff,
        "The first place where a prompt parts from the one before it.",
        questions.diff_of,
    ),
    Route("/api/series", questions.Steps, Series, "Sums over time.", questions.series),
    Route("/api/costs", questions.Spent, Cost, "What requests cost, and what the cache saved.", questions.costs),
    Route("/api/live", Nothing, Live, "What happens at this moment.", own="live"),
    Route("/api/rules", Nothing, tuple[rule.Entry, ...], "The rule book.", own="rules"),
    Route("/api/rules/{code}", RuleAsked, rule.Entry, "One rule with its page.", own="rule"),
    Route("/api/openapi.json", Nothing, None, "This document.", own="openapi"),
    Route("/api/events", Nothing, None, "What happens, as it happens.", own="events", media="text/event-stream"),
    Route("/metrics", Nothing, None, "Figures for Prometheus.", own="metrics", media="text/plain"),
)
"""All of it."""
_COVERED: Final = frozenset({"ui", "metrics", *(f"api/{route.path.split('/')[2]}" for route in ROUTES[:-1])})


def covers(path: str) -> bool:
    """Whether a path is one of the pages, the API or the metrics, and stands behind the guard."""
    first, _, rest = path.lstrip("/").partition("/")
    return (f"api/{rest.partition('/')[0]}" if first == "api" else first) in _COVERED


class Api:
    """The API of one gateway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._document = b""

    def add(self, application: web.Application) -> None:
        """Put the routes into the application."""
        for route in ROUTES:
            application.router.add_get(route.path, self._serve(route))
        for first in sorted(_COVERED - {"ui"}):  # nothing of it goes to the model server
            application.router.add_get(f"/{first}{{rest:/.*}}", _not_found)

    async def guarded(
        self,
        guard: Guard,
        request: web.Request,
        headers: Mapping[str, str],
        handler: Callable[..., Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """The answer for those who may have it; errors are JSON with what to do.

        headers  names in lower case
        """
        try:
            opened = guard.check(request, headers)
            response = opened or await handler(request)
        except Refused as refused:
            return refusal(refused)
        except LedgerError as error:
            return refusal(Refused(503, str(error), "ask again when an agent has talked to the gateway"))
        except web.HTTPException as error:
            remedy = "GET /api/openapi.json says what there is"
            return refusal(Refused(error.status, f"{error.reason}: {request.method} {request.path}", remedy))
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    def _serve(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            asked = _asked(route, request)
            if route.question is None:
                answer: object = await getattr(self, f"_{route.own}")(request, asked)
            else:
                answer = await self._ask(route.question, asked)
            if isinstance(answer, web.StreamResponse):
                return answer
            body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
            return web.Response(body=body, content_type=_JSON, headers={"Cache-Control": "no-store"})

        return serve

    async def _ask(self, question: Callable[[Query, Any], object], asked: object) -> bytes:
        """The answer as JSON, which is written in the reader's thread too."""
        reader = self._desk.reader
        if reader is None:
            raise Refused(503, "this gateway keeps no ledger", "take `off = true` out of [ledger] in keepwarm.toml")
        return await reader.ask(lambda query: msgspec.json.encode(question(query, asked)))

    async def _live(self, _request: web.Request, _asked: Nothing) -> Live:
        return self._desk.look()

    async def _rules(self, _request: web.Request, _asked: Nothing) -> tuple[rule.Entry, ...]:
        rules = self._desk.rules
        return tuple(rules.entry(one) for one in rules.shelf.rules.values())

    async def _rule(self, _request: web.Request, asked: RuleAsked) -> rule.Entry:
        rules = self._desk.rules
        found = rules.shelf.rules.get(asked.code.upper())
        if found is None:
            raise Refused(404, "there is no rule with this code", "GET /api/rules lists them")
        return rules.entry(found, rule.markdown(found, rules.sources.get(found.code, rule.OURS)))

    async def _openapi(self, _request: web.Request, _asked: Nothing) -> bytes:
        self._document = self._document or msgspec.json.encode(document(ROUTES))
        return self._document

    async def _events(self, request: web.Request, _asked: Nothing) -> web.StreamResponse:
        last, reader = request.headers.get("Last-Event-ID", ""), self._desk.reader
        missed = await reader.ask(lambda query: questions.missed(query, last)) if last and reader is not None else []
        return await self._desk.events.serve(request, missed)

    async def _metrics(self, _request: web.Request, _asked: Nothing) -> web.Response:
        body, kind = await self._desk.metrics()
        return web.Response(body=body, headers={"Content-Type": kind, "Cache-Control": "no-store"})


async def _not_found(_: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


def _asked(route: Route, request: web.Request) -> msgspec.Struct:
    """The parameters of a request. Raises Refused."""
    fields = {field.name for field in msgspec.structs.fields(route.asked)}
    said: dict[str, str] = {name: value for name, value in request.query.items() if value and name not in ("key", "_")}
    unknown = said.keys() - fields
    if unknown:
        there_are = ", ".join(sorted(fields)) or "none"
        raise Refused(400, "there is no such parameter", f"this question's parameters: {there_are}")
    try:
        return msgspec.convert({**said, **request.match_info}, route.asked, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, str(error), "GET /api/openapi.json says what each parameter may be") from error
