"""One completion of the scripted server, from the rendered prompt to the recorded Exchange."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Protocol

import aiohttp
import msgspec
from aiohttp import web

from keepwarm.testing.answers import Answer, Script
from keepwarm.testing.chat_shapes import ChatShape, Counts
from keepwarm.testing.faults import Fault, Garble, HangUp, Refuse, Stall, StreamError
from keepwarm.testing.messages_shapes import MessagesShape
from keepwarm.testing.slot_calls import Prefilled, Refused, SlotCalls, SlotLocks


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What one completion was and cost, for tests to look at."""

    body: bytes
    """The request as it was received."""
    stream: bool
    """Whether it asked for a stream."""
    status: int
    """The HTTP status of the answer; 0 when none left."""
    prompt: str
    """The prompt text the engine's template made of it; empty when it was not rendered."""
    prompt_tokens: int
    """cached_tokens + prefilled_tokens."""
    cached_tokens: int
    """Tokens of the prompt that the engine had."""
    prefilled_tokens: int
    """Tokens of the prompt that the engine processed: the cost."""
    prompt_ms: float
    """Milliseconds the engine spent on them."""
    generated_tokens: int
    """Tokens of the answer, the end-of-turn token included; 0 when it was not finished."""
    held_tokens: int
    """Tokens the slot holds afterwards: prompt and answer without the end-of-turn token. The next turn of an
    append-only conversation processes its own prompt_tokens less this."""
    fed_tokens: int
    """Tokens the engine processed to have the answer in the slot: work that stands for generating them."""
    slot: int
    """The slot it ran in; -1 when it did not run."""
    answer: Answer | None
    """What the script answered."""
    fault: Fault | None
    """What went wrong on purpose."""
    cancelled: bool
    """The caller went away before the end."""

    @property
    def request(self) -> dict[str, Any]:
        """`body`, parsed."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Surroundings(Protocol):
    """What a run needs of its server."""

    calls: SlotCalls
    locks: SlotLocks
    script: Script
    generating: bool

    def next_call_id(self) -> str:
        """A tool-call id never used before."""


class ScriptedRun:
    """Carries one request through; `exchange` tells at any moment how far it got."""

    def __init__(
        self,
        server: Surroundings,
        request: web.Request,
        body: bytes,
        fields: dict[str, Any],
        fault: Fault | None,
        *,
        messages: bool = False,
        chat: bytes | None = None,
    ) -> None:
        """fields    the request as a chat completions body
        messages  whether `body` is a Messages body, and the answer is to be in that shape
        chat      what the engine is to render; None = `body`
        """
        self._server = server
        self._request = request
        self._body = body
        self._fields = fields
        self._fault = fault
        self._chat = body if chat is None else chat
        self._stream = bool(fields.get("stream"))
        self._shape: ChatShape | MessagesShape
        answer_id, model = "chatcmpl-" + secrets.token_hex(16), str(fields.get("model") or "scripted")
        if messages:
            self._shape = MessagesShape(message_id=answer_id, model=model)
        else:
            self._shape = ChatShape(completion_id=answer_id, model=model, created=int(time.time()))
        self._response: web.StreamResponse | None = None
        self._status = 0
        self._prompt = ""
        self._prefilled: Prefilled | None = None
        self._fed: Prefilled | None = None
        self._generated = 0
        self._answer: Answer | None = None
        self._cancelled = False

    def exchange(self) -> Exchange:
        """The record of this run."""
        prefilled, fed = self._prefilled, self._fed
        last = fed or prefilled
        return Exchange(
            body=self._body,
            stream=self._stream,
            status=self._status,
            prompt=self._prompt,
            prompt_tokens=prefilled.tokens if prefilled else 0,
            cached_tokens=prefilled.cached if prefilled else 0,
            prefilled_tokens=prefilled.processed if prefilled else 0,
            prompt_ms=prefilled.milliseconds if prefilled else 0.0,
            generated_tokens=self._generated,
            held_tokens=last.tokens if last else 0,
            fed_tokens=fed.processed if fed else 0,
            slot=prefilled.slot if prefilled else -1,
            answer=self._answer,
            fault=self._fault,
            cancelled=self._cancelled,
        )

    async def respond(self) -> web.StreamResponse:
        """Answer the request, whatever happens; a caller that goes away is a CancelledError, as aiohttp has it."""
        try:
            return await self._respond()
        except Refused as refused:
            if self._response is not None:
                await self._response.write(b"data: " + refused.body + b"\n\n")
                return self._response
            return self._plain(refused.status, refused.body, refused.content_type)
        except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientConnectionResetError):
            self._cancelled = not isinstance(self._fault, HangUp)
            raise

    async def _respond(self) -> web.StreamResponse:
        fault = self._fault
        if isinstance(fault, Refuse):
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            body = msgspec.json.encode(self._shape.error(fault.status, fault.message, fault.kind))
            return self._plain(fault.status, body, "application/json", headers)
        if isinstance(fault, HangUp) and fault.after < 0:
            return self._hang_up()
        calls, fields = self._server.calls, self._fields
        self._prompt = await calls.render(self._chat)
        pinned = fields.get("id_slot")
        slot = pinned if isinstance(pinned, int) and 0 <= pinned < calls.slots else None
        async with self._server.locks.hold(slot):
            self._prefilled = await calls.prefill(fields, self._tell_progress, slot=slot)
            if isinstance(fault, Stall) and not fault.after:
                await self._stall(fault)
            self._answer = answer = self._server.script(fields)
            call_ids = tuple(self._server.next_call_id() for _ in answer.tool_calls)
            if not self._stream:
                return await self._send_whole(answer, call_ids)
            return await self._send_stream(answer, call_ids)

    async def _send_stream(self, answer: Answer, call_ids: tuple[str, ...]) -> web.StreamResponse:
        response = await self._open()
        prefilled = self._prefilled
        assert prefilled is not None
        await response.write(
            self._shape.start(Counts(prefilled.cached, prefilled.processed, 0, prefilled.milliseconds))
        )
        sent = 0
        try:
            for sent, chunk in enumerate(self._shape.deltas(answer, call_ids)):
                match self._fault:
                    case HangUp(after=after) if after == sent:
                        return self._hang_up()
                    case StreamError(after=after, message=message) if after == sent:
                        error = self._shape.error(500, message, "server_error")
                        await response.write(b"data: " + msgspec.json.encode(error) + b"\n\n")
                        return response
                    case Garble(after=after) if after == sent:
                        await response.write(chunk[: len(chunk) // 2] + b"\n\n")
                    case Stall(after=after) if after == sent and after:
                        await self._stall(self._fault)
                await response.write(chunk)
        except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientConnectionResetError):
            # A server that is told to stop has in its slot what it has generated so far.
            await asyncio.shield(self._leave_in_slot(answer.begun(sent)))
            raise
        # The answer enters the slot before the caller learns that it is complete: its next request finds it there.
        counts = await self._leave_in_slot(answer)
        options = self._fields.get("stream_options") or {}
        await response.write(self._shape.ending(answer, counts, with_usage=bool(options.get("include_usage"))))
        await response.write_eof()
        return response

    async def _send_whole(self, answer: Answer, call_ids: tuple[str, ...]) -> web.StreamResponse:
        match self._fault:
            case HangUp():
                return self._hang_up()
            case StreamError(message=message):
                return self._plain(
                    500, msgspec.json.encode(self._shape.error(500, message, "server_error")), "application/json"
                )
        body = self._shape.whole(answer, call_ids, await self._leave_in_slot(answer))
        if isinstance(self._fault, Garble):
            body = body[: len(body) // 2]
        return self._plain(200, body, "application/json")

    async def _leave_in_slot(self, answer: Answer) -> Counts:
        prefilled = self._prefilled
        assert prefilled is not None
        calls = self._server.calls
        generated = await calls.generated_text(self._fields, self._prompt, answer)
        if generated:
            slot, in_pieces = prefilled.slot, answer.in_pieces
            if self._server.generating:
                tokens = await calls.tokens(generated, in_pieces=in_pieces)
                self._fed = await calls.generate(self._prompt, tokens, slot=slot)
            elif in_pieces:
                tokens = await calls.tokens(self._prompt, add_special=True)
                self._fed = await calls.feed([*tokens, *await calls.tokens(generated, in_pieces=True)], slot=slot)
            else:
                self._fed = await calls.feed(self._prompt + generated, slot=slot)
            # One more than the slot holds: the token that ends the turn is generated, but not kept.
            self._generated = self._fed.tokens - prefilled.tokens + 1
        return Counts(prefilled.cached, prefilled.processed, self._generated, prefilled.milliseconds)

    async def _tell_progress(self, progress: dict[str, Any]) -> None:
        wanted = self._stream and self._fields.get("return_progress")
        if wanted and (chunk := self._shape.progress(progress)):
            response = await self._open()
            await response.write(chunk)

    async def _open(self) -> web.StreamResponse:
        """Send the headers of the stream, once: like llama.cpp not before there is something to say."""
        if self._response is None:
            self._status = 200
            headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Server": "llama.cpp"}
            self._response = web.StreamResponse(headers=headers)
            await self._response.prepare(self._request)
        return self._response

    async def _stall(self, fault: Stall) -> None:
        if fault.until is not None:
            await fault.until.wait()
        await asyncio.sleep(fault.seconds)

    def _plain(
        self, status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None
    ) -> web.StreamResponse:
        self._status = status
        return web.Response(status=status, body=body, content_type=content_type, headers=headers)

    def _hang_up(self) -> web.StreamResponse:
        assert self._request.transport is not None
        self._request.transport.close()
        return self._response or web.Response()
