"""A vLLM with a script for a mind: prompts go to a real one, in the shape they came in; answers come from a script.

    async with ScriptedVllm(vllm.url, script) as server:
        point a gateway or a client at server.url

`POST /v1/messages` and `/v1/chat/completions` are answered as a stream in vLLM's own shape with vLLM's own counts.
Before an answer ends, its tokens have been processed behind the prompt (without the token that ends the turn, which
vLLM samples and never processes), so that the prefix cache holds what it would hold after generating them: full blocks.
Each server has a cache of its own in the one engine, by a `cache_salt`. Every other path is passed through, and
questions about tokens are asked of its one model.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.testing.answers import Answer, Script
from keepwarm.testing.messages_shapes import as_chat, hoisted
from keepwarm.testing.passing import MAX_BODY, listening, pass_on, pool
from keepwarm.testing.scripted import Exchange
from keepwarm.testing.slot_calls import Refused
from keepwarm.testing.vllm import NAME
from keepwarm.testing.vllm_calls import CHAT, MESSAGES, VllmCalls
from keepwarm.testing.vllm_shapes import ChatStream, Counted, MessagesStream

Json = dict[str, Any]
Cut = Callable[[Json], int]
"""A chat completions body -> how many pieces of its answer go out before it stands still; 0 = all, and it ends."""
_TOKENS: Final = ("/render", "/tokenize", "/detokenize")
_PATIENCE: Final = 120.0
"""Seconds that an answer stands still at most."""


class ScriptedVllm:
    """The server, as an async context manager. One event loop; one request at a time in its cache."""

    def __init__(self, engine_url: str, script: Script, *, cut: Cut | None = None, hoist: bool = False) -> None:
        """engine_url  the real vLLM, with `--enable-scale-out` and `--enable-prompt-tokens-details`

        script      chooses each answer by its request as a chat completions body
        cut         where an answer stands still until the client is gone; None = nowhere
        hoist       whether inline system messages are moved to the head, as vLLM does it for strict templates
        """
        self.engine_url = engine_url.rstrip("/")
        self.script, self.cut, self.hoist = script, cut, hoist
        self.exchanges: list[Exchange] = []
        """Every completion that has ended, in the order of their ends. `held_tokens` are full blocks."""
        self.url = ""
        """`http://HOST:PORT` once it has started."""
        self.calls: VllmCalls
        self.lock = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._name = secrets.token_hex(8)
        self._ids = 0
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Listen. aiohttp.ClientError when vLLM does not answer, LookupError when it does not tell its block size."""
        async with contextlib.AsyncExitStack() as unless_ready:
            self._session = await unless_ready.enter_async_context(pool())
            self.calls = VllmCalls(self._session, self.engine_url, salt=self._name)
            await self.calls.look()
            app = web.Application(client_max_size=MAX_BODY)
            for path in (CHAT, MESSAGES):
                app.router.add_post(path, self._complete)
            app.router.add_route("*", "/{path:.*}", self._pass_through)
            self.url = await unless_ready.enter_async_context(listening(app))
            self._stack = unless_ready.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def fed_total(self) -> int:
        """Prompt tokens that vLLM processed to have answers in the cache."""
        return sum(exchange.fed_tokens for exchange in self.exchanges)

    async def engine_prompt_tokens(self) -> int:
        """vLLM's own count of prompt tokens processed, whoever asked and in whatever cache."""
        return await self.calls.processed_total()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition()` holds; it is asked again whenever a completion ends."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def next_name(self) -> str:
        """A word that no other answer has, also of another server."""
        self._ids += 1
        return f"{self._name}{self._ids:05d}"

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            fields = msgspec.json.decode(body, type=Json)
        except msgspec.DecodeError:
            return await self._pass_through(request)
        if not isinstance(fields.get("messages"), list):
            return await self._pass_through(request)
        if not fields.get("stream"):
            return web.json_response({"error": {"message": "the script is told as a stream only"}}, status=400)
        run = _Run(self, request, body, _hoisted(request.path, fields) if self.hoist else fields)
        try:
            return await run.respond()
        except aiohttp.ClientConnectorError as error:
            return web.json_response({"error": {"message": str(error)}}, status=502)
        finally:
            self.exchanges.append(run.exchange())
            await asyncio.shield(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _pass_through(self, request: web.Request) -> web.StreamResponse:
        body = _of_its_model(request.path, await request.read())
        return await pass_on(self._session, request, self.engine_url + request.raw_path, body=body)


class _Run:
    """One completion; `exchange` tells at any moment how far it got."""

    def __init__(self, server: ScriptedVllm, request: web.Request, body: bytes, fields: Json) -> None:
        self._server, self._request, self._body, self._fields = server, request, body, fields
        self._path = request.path
        name, model = server.next_name(), str(fields.get("model") or "scripted")
        with_usage = bool((fields.get("stream_options") or {}).get("include_usage"))
        self._shape: ChatStream | MessagesStream = (
            MessagesStream(name=name, model=model)
            if self._path == MESSAGES
            else ChatStream(name=name, model=model, created=int(time.time()), with_usage=with_usage)
        )
        self._status, self._prompt = 0, ""
        self._tokens: list[int] = []
        self._counted: Counted | None = None
        self._fed: Counted | None = None
        self._held = 0
        self._milliseconds = 0.0
        self._answer: Answer | None = None
        self._cancelled = False

    def exchange(self) -> Exchange:
        """The record of this run."""
        prompt, cached = (self._counted.prompt, self._counted.cached or 0) if self._counted else (0, 0)
        return Exchange(
            body=self._body,
            stream=True,
            status=self._status,
            prompt=self._prompt,
            prompt_tokens=prompt,
            cached_tokens=cached,
            prefilled_tokens=prompt - cached,
            prompt_ms=self._milliseconds,
            generated_tokens=self._held - prompt + 1 if self._fed else 0,
            held_tokens=max(self._held, prompt) // self._server.calls.block * self._server.calls.block,
            fed_tokens=self._fed.prompt - (self._fed.cached or 0) if self._fed else 0,
            slot=-1,
            answer=self._answer,
            fault=None,
            cancelled=self._cancelled,
        )

    async def respond(self) -> web.StreamResponse:
        """Answer the request; a caller that goes away is a CancelledError, as aiohttp has it."""
        calls = self._server.calls
        try:
            async with self._server.lock:
                self._tokens = await calls.prompt(self._path, self._fields)
                self._prompt = await calls.text(self._tokens)
                began = time.perf_counter()
                self._counted = await calls.prefill(self._path, self._fields)
                self._milliseconds = 1000.0 * (time.perf_counter() - began)
                chat = as_chat(self._fields) if self._path == MESSAGES else self._fields
                self._answer = self._server.script(chat)
                cut = self._server.cut(chat) if self._server.cut is not None else 0
                return await self._send(self._answer, self._counted, cut)
        except Refused as refused:
            self._status = refused.status
            return web.Response(status=refused.status, body=refused.body, content_type=refused.content_type)
        except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientConnectionResetError):
            self._cancelled = True
            raise

    async def _send(self, answer: Answer, counted: Counted, cut: int) -> web.StreamResponse:
        self._status = 200
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(self._request)
        await response.write(self._shape.start(counted))
        ids = tuple(f"chatcmpl-tool-{self._server.next_name()}" for _ in answer.tool_calls)
        sent = 0
        try:
            for sent, piece in enumerate(self._shape.deltas(answer, ids)):
                if cut and sent == cut:
                    await asyncio.sleep(_PATIENCE)
                await response.write(piece)
        except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientConnectionResetError):
            # A server that is told to stop has in its cache what it has generated so far.
            await asyncio.shield(self._leave_in_cache(answer.begun(sent)))
            raise
        # The answer is in the cache before the caller learns that it is complete: its next request finds it there.
        generated = await self._leave_in_cache(answer)
        await response.write(self._shape.ending(answer, counted, generated))
        await response.write_eof()
        return response

    async def _leave_in_cache(self, answer: Answer) -> int:
        """Tokens generated, the one that ends the turn included."""
        calls = self._server.calls
        text = await calls.generated_text(self._path, self._fields, self._prompt, answer)
        if text is None:
            return 1
        if answer.in_pieces:
            tokens = [*self._tokens, *await calls.tokens(text, in_pieces=True)]
        else:
            tokens = await calls.tokens(self._prompt + text)
        self._fed, self._held = await calls.feed(tokens), len(tokens)
        return len(tokens) - len(self._tokens) + 1


def _of_its_model(path: str, body: bytes) -> bytes:
    """A question about tokens, asked of the one model that there is, whatever the client calls it."""
    if not path.endswith(_TOKENS):
        return body
    try:
        return msgspec.json.encode(msgspec.json.decode(body, type=Json) | {"model": NAME})
    except msgspec.MsgspecError:
        return body


def _hoisted(path: str, body: Json) -> Json:
    """A body with all system messages at the head."""
    if path != MESSAGES:
        return hoisted(body)
    said = [message["content"] for message in body["messages"] if message["role"] == "system"]
    rest = [message for message in body["messages"] if message["role"] != "system"]
    row = [_blocks(content) for content in (body.get("system") or [], *said)]
    return body | {"system": [block for blocks in row for block in blocks], "messages": rest}


def _blocks(content: Any) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
