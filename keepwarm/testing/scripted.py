"""A llama.cpp server with a script for a mind: the prompts go to a real engine, the answers come from a script.

    async with ScriptedServer(engine.url, MarkerScript({"alpha": [...]}, default=Answer("Done."))) as server:
        point a gateway or a client at server.url

`POST /v1/chat/completions`, streaming and not, is answered in llama.cpp's own shape with the engine's own counts.
Before an answer ends, the slot is left holding what a generating server would hold: the answer's tokens behind the
prompt (without the token that ends the turn, which llama.cpp samples but never puts into the slot). So an answer that
comes back rewritten costs what it costs in life. Every other path is passed through to the engine unchanged.

What the engine counts in /metrics is `prefilled_total + fed_total`: the first is the cost, the second stands for
generation.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.testing.answers import Answer, MarkerScript, Script
from keepwarm.testing.faults import FaultChooser
from keepwarm.testing.messages_shapes import as_chat, hoisted
from keepwarm.testing.passing import MAX_BODY, listening, pass_on, pool
from keepwarm.testing.scripted_run import Exchange, ScriptedRun
from keepwarm.testing.slot_calls import SlotCalls, SlotLocks, engine_prompt_tokens

__all__ = ["Answer", "Exchange", "MarkerScript", "Script", "ScriptedServer", "engine_prompt_tokens"]


class ScriptedServer:
    """The server; start and stop it, or use it as an async context manager. One event loop, one engine."""

    def __init__(
        self,
        engine_url: str,
        script: Script,
        *,
        faults: FaultChooser | None = None,
        generating: bool = False,
        messages: bool = False,
        hoist: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """engine_url  the real llama.cpp, `http://HOST:PORT`
        script      chooses each answer
        faults      chooses what goes wrong; None = nothing
        generating  have the engine generate each answer (5 ms a token) instead of processing it like a prompt (0.1 ms):
                    what a model that cannot go back needs, or its slots would hold checkpoints that no answer leaves
        messages    whether `POST /v1/messages` is answered by the script too; else it is the engine's own
        hoist       whether inline system messages are moved to the head, as some servers do
        port        0 = a free one, see `url`
        """
        self.engine_url = engine_url.rstrip("/")
        self.script = script
        self.faults = faults
        self.generating = generating
        self.messages = messages
        self.hoist = hoist
        self.exchanges: list[Exchange] = []
        """Every completion that has ended, in the order of their ends."""
        self.arrived = 0
        """Completions asked for so far."""
        self.url = ""
        """`http://HOST:PORT` once it has started."""
        self.calls: SlotCalls
        self.locks: SlotLocks
        self._host, self._port = host, port
        self._changed = asyncio.Condition()
        self._name = secrets.token_hex(4)
        self._call_ids = 0
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. aiohttp.ClientError when the engine does not answer, OSError when the port is taken."""
        async with contextlib.AsyncExitStack() as unless_ready:
            self._session = await unless_ready.enter_async_context(pool())
            self.calls = SlotCalls(self._session, self.engine_url)
            await self.calls.look()
            self.locks = SlotLocks(self.calls.slots)
            app = web.Application(client_max_size=MAX_BODY)
            app.router.add_post("/v1/chat/completions", self._complete)
            app.router.add_post("/chat/completions", self._complete)
            if self.messages:
                app.router.add_post("/v1/messages", self._complete)
            app.router.add_route("*", "/{path:.*}", self._pass_through)
            self.url = await unless_ready.enter_async_context(listening(app, self._host, self._port))
            self._stack = unless_ready.pop_all()

    async def stop(self) -> None:
        """Stop listening and drop what is in progress."""
        await self._stack.aclose()

    @property
    def prefilled_total(self) -> int:
        """Prompt tokens the engine processed for callers, generation's stand-ins not counted."""
        return sum(exchange.prefilled_tokens for exchange in self.exchanges)

    @property
    def fed_total(self) -> int:
        """Prompt tokens the engine processed to leave answers in the slots."""
        return sum(exchange.fed_tokens for exchange in self.exchanges)

    async def engine_prompt_tokens(self) -> int:
        """The engine's own count of prompt tokens processed, `prefilled_total + fed_total` if nobody else asks it."""
        return await self.calls.prompt_tokens_total()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition()` holds; it is asked again whenever a completion arrives or ends."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def next_call_id(self) -> str:
        """A tool-call id that no other answer has, also of another server."""
        self._call_ids += 1
        return f"call_{self._name}_{self._call_ids:05d}"

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return await self._pass_through(request)
        if not isinstance(fields.get("messages"), list):
            return await self._pass_through(request)
        index, self.arrived = self.arrived, self.arrived + 1
        await self._tell()
        messages = request.path == "/v1/messages"
        chat = as_chat(fields) if messages else fields
        chat = hoisted(chat) if self.hoist else chat
        fault = self.faults(index, chat) if self.faults is not None else None
        text = None if chat is fields else msgspec.json.encode(chat)
        run = ScriptedRun(self, request, body, chat, fault, messages=messages, chat=text)
        try:
            return await run.respond()
        except aiohttp.ClientConnectorError as error:  # as a balancer says it whose server is away
            return web.json_response({"error": {"message": str(error)}}, status=502)
        finally:
            self.exchanges.append(run.exchange())
            await asyncio.shield(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _pass_through(self, request: web.Request) -> web.StreamResponse:
        return await pass_on(self._session, request, self.engine_url + request.raw_path)
