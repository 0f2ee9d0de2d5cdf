"""Both sides hand the client the same blocks, whatever the protocol on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from keepwarm.errors import UpstreamError
from keepwarm.testing.agent_player import GatewaySide, PlainSide, PlayedTurn, play
from keepwarm.testing.agent_script import plan_session
from keepwarm.testing.agent_session import AgentRequest, AgentSession

CHAT: list[dict[str, Any]] = [
    {"choices": [{"delta": {"role": "assistant", "content": None}}], "prompt_progress": {"total": 9}},
    {"choices": [{"delta": {"reasoning_content": "h"}}]},
    {"choices": [{"delta": {"reasoning": "m"}}]},
    {"choices": [{"delta": {"content": "I look."}}]},
    {
        "choices": [
            {"delta": {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "Read", "arguments": '{"'}}]}}
        ]
    },
    {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 'a": 1}'}}]}}]},
    {"choices": [], "usage": {}},
]
MESSAGES: list[dict[str, Any]] = [
    {"type": "message_start", "message": {}},
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "straight"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I look."}},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t", "name": "Read", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "message_stop"},
]
BLOCKS = [
    {"type": "thinking", "thinking": "hm", "signature": "straight"},
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "t", "name": "Read", "input": {"a": 1}},
]


@asynccontextmanager
async def server(path: str, events: Iterable[dict[str, Any]], status: int = 200) -> AsyncIterator[str]:
    """A server that answers every POST to `path` with these events; its URL."""

    async def answer(request: web.Request) -> web.Response:
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return web.Response(text=text, status=status)

    app = web.Application()
    app.router.add_post(path, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def a_request() -> AgentRequest:
    """The session's first request."""
    request = AgentSession(plan_session()).next_request()
    assert request is not None
    return request


async def test_a_chat_stream_becomes_blocks() -> None:
    async with server("/v1/chat/completions", CHAT) as url, PlainSide(url) as side:
        blocks, turn = await side.send(a_request())
    assert blocks == BLOCKS
    assert 0 < turn.first_token_s <= turn.whole_s


async def test_a_messages_stream_becomes_the_same_blocks() -> None:
    async with server("/v1/messages", MESSAGES) as url, GatewaySide(url) as side:
        blocks, turn = await side.send(a_request())
    assert blocks == BLOCKS
    assert (turn.number, turn.kind) == (1, "title")


async def test_a_refusal_and_a_broken_stream_are_errors() -> None:
    async with server("/v1/chat/completions", [], status=503) as url, PlainSide(url) as side:
        with pytest.raises(UpstreamError, match="answered 503"):
            await side.send(a_request())
    broken = [{"type": "error", "error": {"message": "gone"}}]
    async with server("/v1/messages", broken) as url, GatewaySide(url) as side:
        with pytest.raises(UpstreamError, match="gone"):
            await side.send(a_request())


class Talker:
    """A side that calls no tool, and answers the title call last of all."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.title = asyncio.Event()

    async def send(self, request: AgentRequest) -> tuple[list[dict[str, Any]], PlayedTurn]:
        """A word for each request."""
        self.sent.append(request.kind)
        if request.beside:
            await self.title.wait()
        elif len(self.sent) == 4:
            self.title.set()
        return [{"type": "text", "text": "Yes."}], PlayedTurn(request.number, request.kind, 0.1, 0.2)


async def test_the_title_call_goes_beside_and_nobody_waits_for_it() -> None:
    side = Talker()
    heard: list[int] = []
    turns = await play(AgentSession(plan_session()), side, lambda turn: heard.append(turn.number))
    assert side.sent == ["title", "main", "main", "main"]
    assert heard == [2, 3, 4, 1]
    assert [turn.number for turn in turns] == [1, 2, 3, 4]


async def test_a_play_can_be_ended_after_an_answer() -> None:
    side = Talker()
    side.title.set()
    turns = await play(AgentSession(plan_session()), side, go_on=lambda: False)
    assert [turn.kind for turn in turns] == ["title", "main"]
