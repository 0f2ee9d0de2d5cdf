"""Play a synthetic agent's session against a server and measure what its user would feel.

    async with PlainSide(chat_url) as side:          # or GatewaySide(gateway_url)
        turns = await play(AgentSession(plan), side, on_turn=print)

A side sends one request and hands back the answer's content blocks with the time to its first token, taken here, at
the client.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Final, Protocol, Self

import aiohttp
import msgspec

from keepwarm.errors import UpstreamError
from keepwarm.testing.agent_script import Kind
from keepwarm.testing.agent_session import AgentRequest, AgentSession
from keepwarm.testing.agent_words import Json
from keepwarm.testing.plain_chat import to_chat

_LONGEST_LINE: Final = 8 * 1024 * 1024
_PATIENCE: Final = aiohttp.ClientTimeout(total=900)


class PlayedTurn(msgspec.Struct, frozen=True):
    """One request of a session, answered."""

    number: int
    """The request's number, from 1 over the whole session."""
    kind: Kind
    """Which conversation it belongs to."""
    first_token_s: float
    """Seconds from sending the request to the first word, thought or tool call."""
    whole_s: float
    """Seconds from sending the request to the end of its answer."""


class Side(Protocol):
    """One way from the agent to the model."""

    async def send(self, request: AgentRequest) -> tuple[list[Json], PlayedTurn]:
        """Send a request; the answer's content blocks (Messages shape) and its times. UpstreamError when it failed."""
        ...


async def play(
    session: AgentSession,
    side: Side,
    on_turn: Callable[[PlayedTurn], None] = lambda turn: None,
    go_on: Callable[[], bool] = lambda: True,
) -> list[PlayedTurn]:
    """Play `session` to its end; its turns by request number.

    on_turn  hears of each turn as it is answered
    go_on    is asked after each answer that the session waited for; False ends the play there

    Raises UpstreamError for the first request that failed; side calls still on their way are cancelled then.
    """
    turns: list[PlayedTurn] = []

    async def answered(request: AgentRequest) -> list[Json]:
        blocks, turn = await side.send(request)
        turns.append(turn)
        on_turn(turn)
        return blocks

    beside: list[asyncio.Task[list[Json]]] = []
    try:
        while (request := session.next_request()) is not None:
            if request.beside:
                beside.append(asyncio.create_task(answered(request)))
                # The side call is to reach the server first, as it does in life.
                await asyncio.sleep(0)
            else:
                session.receive(await answered(request))
                if not go_on():
                    break
        await asyncio.gather(*beside)
    finally:
        for task in beside:
            task.cancel()
    return sorted(turns, key=lambda turn: turn.number)


class _HttpSide:
    """What both sides share: one HTTP session and the clock around a streamed answer."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=_PATIENCE, read_bufsize=_LONGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def _stream(self, path: str, body: bytes, headers: dict[str, str]) -> AsyncIterator[Json]:
        """The JSON of each `data:` line of the answer."""
        if self._http is None:
            raise RuntimeError("enter the side with `async with` first")
        async with self._http.post(self._url + path, data=body, headers=headers) as answer:
            if answer.status != 200:
                raise UpstreamError(f"{path} answered {answer.status}: {(await answer.text())[:500]}")
            async for line in answer.content:
                if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                    event = json.loads(line[5:])
                    if "error" in event:
                        raise UpstreamError(f"{path} broke off: {event['error']}")
                    yield event


class PlainSide(_HttpSide):
    """Straight to a chat completions endpoint, converted as an ordinary proxy would (see plain_chat)."""

    def __init__(self, url: str, *, hoist: bool = False) -> None:
        """`url` is the server's base URL; `hoist` as `to_chat` takes it."""
        super().__init__(url)
        self._hoist = hoist

    async def send(self, request: AgentRequest) -> tuple[list[Json], PlayedTurn]:
        """As Side.send tells."""
        began = time.perf_counter()
        first: float | None = None
        answer = ChatAnswer()
        body = to_chat(request.body, hoist=self._hoist)
        async for event in self._stream("/v1/chat/completions", body, {"content-type": "application/json"}):
            if answer.take(event) and first is None:
                first = time.perf_counter()
        return answer.blocks(), _timed(request, began, first)


class GatewaySide(_HttpSide):
    """Through a gateway that speaks the Messages protocol: the client's own bytes and headers."""

    async def send(self, request: AgentRequest) -> tuple[list[Json], PlayedTurn]:
        """As Side.send tells."""
        began = time.perf_counter()
        first: float | None = None
        answer = MessagesAnswer()
        async for event in self._stream(request.path, request.body, dict(request.headers)):
            if answer.take(event) and first is None:
                first = time.perf_counter()
        return answer.blocks(), _timed(request, began, first)


def _timed(request: AgentRequest, began: float, first: float | None) -> PlayedTurn:
    """The turn's times; an answer without a word has its first token at its end."""
    ended = time.perf_counter()
    return PlayedTurn(request.number, request.kind, (first or ended) - began, ended - began)


class ChatAnswer:
    """A chat completions stream gathered into content blocks."""

    def __init__(self) -> None:
        self._text = ""
        self._thinking = ""
        self._calls: dict[int, Json] = {}

    def take(self, event: Json) -> bool:
        """Take one chunk; True when it held something of the answer."""
        if "prompt_progress" in event or not event.get("choices"):
            return False
        delta: Json = event["choices"][0].get("delta", {})
        self._text += delta.get("content") or ""
        # llama.cpp's name and vLLM's.
        thinking = delta.get("reasoning_content") or delta.get("reasoning") or ""
        self._thinking += thinking
        for piece in delta.get("tool_calls") or []:
            call = self._calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] = piece.get("id") or call["id"]
            function = piece.get("function", {})
            call["name"] = function.get("name") or call["name"]
            call["arguments"] += function.get("arguments") or ""
        return bool(delta.get("content") or thinking or delta.get("tool_calls"))

    def blocks(self) -> list[Json]:
        """The content blocks an Anthropic client would have been given."""
        made: list[Json] = []
        if self._thinking:
            made.append({"type": "thinking", "thinking": self._thinking, "signature": "straight"})
        if self._text:
            made.append({"type": "text", "text": self._text})
        for _, call in sorted(self._calls.items()):
            arguments = json.loads(call["arguments"] or "{}")
            made.append({"type": "tool_use", "id": call["id"], "name": call["name"], "input": arguments})
        return made


class MessagesAnswer:
    """A Messages stream gathered into content blocks."""

    def __init__(self) -> None:
        self._blocks: dict[int, Json] = {}
        self._arguments: dict[int, str] = {}

    def take(self, event: Json) -> bool:
        """Take one event; True when it held something of the answer."""
        match event.get("type"):
            case "content_block_start":
                self._blocks[event["index"]] = dict(event["content_block"])
                return bool(event["content_block"]["type"] == "tool_use")
            case "content_block_delta":
                self._grow(event["index"], event["delta"])
                return True
        return False

    def _grow(self, index: int, delta: Json) -> None:
        block: dict[str, Any] = self._blocks[index]
        match delta["type"]:
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = block.get("signature", "") + delta["signature"]
            case "input_json_delta":
                self._arguments[index] = self._arguments.get(index, "") + delta["partial_json"]

    def blocks(self) -> list[Json]:
        """The content blocks in order, tool arguments read."""
        for index, text in self._arguments.items():
            if text:
                self._blocks[index]["input"] = json.loads(text)
        return [block for _, block in sorted(self._blocks.items())]
