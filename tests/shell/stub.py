"""A model server in the test's hands: what it is asked is kept, what it answers is a function of the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, TypeAlias

import msgspec
from aiohttp import web

from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import ChatShape, Counts, error_body

Json: TypeAlias = dict[str, Any]
COUNTS = Counts(cached=30, prefilled=12, generated=5, prompt_ms=2.0)
SHAPE = ChatShape(completion_id="chatcmpl-stub", model="stub", created=1)
EVENT_STREAM = {"content-type": "text/event-stream"}


class Seen(msgspec.Struct, frozen=True):
    """A request as the stub received it."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Json:
        """The body, parsed."""
        return msgspec.json.decode(self.body, type=Json)


Respond: TypeAlias = Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]


async def hello(request: web.Request, seen: Seen) -> web.StreamResponse:
    """A short answer, streamed when it was asked for so."""
    return await say(request, seen, Answer("Hello there."))


async def say(request: web.Request, seen: Seen, answer: Answer, *, progress: bool = False) -> web.StreamResponse:
    """`answer` in llama.cpp's shape, behind a word on the prefill if `progress`."""
    calls = tuple(f"call_{number}" for number in range(len(answer.tool_calls)))
    if not seen.json.get("stream"):
        return web.Response(body=SHAPE.whole(answer, calls, COUNTS), content_type="application/json")
    response = await begin(request)
    if progress:
        await response.write(SHAPE.progress({"total": 42, "cache": 30, "processed": 36, "time_ms": 1}))
    await response.write(SHAPE.role())
    for chunk in SHAPE.deltas(answer, calls):
        await response.write(chunk)
    await response.write(SHAPE.ending(answer, COUNTS, with_usage=True))
    return response


async def begin(request: web.Request) -> web.StreamResponse:
    """The headers of a stream."""
    response = web.StreamResponse(headers=EVENT_STREAM)
    await response.prepare(request)
    return response


def refuse(status: int, message: str, kind: str = "server_error", **headers: str) -> Respond:
    """Always an error in llama.cpp's shape."""

    async def respond(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response(error_body(status, message, kind), status=status, headers=headers)

    return respond


async def hang_up(request: web.Request, seen: Seen) -> web.StreamResponse:
    """The connection is closed instead of an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


class Held:
    """A respond function that says nothing until it is told to, and tells when it was cancelled."""

    def __init__(self, *, begun: bool = False) -> None:
        self.go = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.cancelled_at = 0.0
        self._begun = begun

    async def __call__(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            if self._begun:
                await (await begin(request)).write(SHAPE.role() + next(SHAPE.deltas(Answer("Begun."), ())))
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled_at = perf_counter()
            self.cancelled.set()
            raise
        return await hello(request, seen)


class Stub:
    """The server. `props` is what /props says: None makes it a server that is not llama.cpp."""

    def __init__(
        self, respond: Respond, *, slots: int = 0, path: str = "/v1/chat/completions", method: str = "POST"
    ) -> None:
        self.respond = respond
        """Answers what comes to `path`; may be changed at any time."""
        self.props: Json | None = {
            "total_slots": slots,
            "default_generation_settings": {"n_ctx": 8192},
            "modalities": {"vision": True},
            "model_alias": "stub-model",
        }
        self.props_status = 200
        self.page = ""
        """What any other path holds; nothing: they are not found."""
        self.seen: list[Seen] = []
        """What came to `path`."""
        self.beside: list[Seen] = []
        """What came to any other."""
        self.url = ""
        self.paths: tuple[str, ...] = (path,)
        """Where it answers; may be changed at any time."""
        self._method = method
        self._changed = asyncio.Condition()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition()` holds; it is asked again with each request that comes."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything that comes."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.path_qs, headers, await request.read())
        asked = request.method == self._method and request.path in self.paths
        (self.seen if asked else self.beside).append(seen)
        async with self._changed:
            self._changed.notify_all()
        if asked:
            return await self.respond(request, seen)
        if self.page:
            return web.Response(text=self.page, content_type="text/html")
        if request.path == "/props" and self.props is not None:
            return web.json_response(self.props, status=self.props_status)
        if request.path == "/v1/models" and self.props is not None:
            return web.json_response(
                {"object": "list", "data": [{"id": "models/stub-model", "created": 1_700_000_000}]}
            )
        return web.json_response(error_body(404, "File Not Found", "not_found_error"), status=404)


@asynccontextmanager
async def running(stub: Stub, port: int = 0) -> AsyncIterator[Stub]:
    """`stub`, listening at `stub.url`."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield stub
    finally:
        await runner.cleanup()


def message_body(text: str = "hello", **fields: Any) -> bytes:
    """A Messages request with one user turn."""
    return json.dumps(
        {"model": "local", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    ).encode()
