"""Each fault, as a caller meets it, in a stream and in a whole answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from keepwarm.testing.faults import Fault, Garble, HangUp, Refuse, Stall, StreamError
from keepwarm.testing.scripted import Answer, ScriptedServer
from tests.testing.conftest import EngineFor

ANSWER = Answer("Words enough for more than a single piece, and then for a third one.")
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "return_progress": True}


async def meet(
    engine_for: EngineFor, fault: Fault, *, stream: bool
) -> tuple[int, dict[str, str], bytes, ScriptedServer]:
    """Status, headers and what came of the body under `fault`; status 0 when nothing came."""

    def choose(index: int, body: dict[str, Any]) -> Fault | None:
        assert body["messages"] == BODY["messages"]
        return fault if index == 0 else None

    async with (
        ScriptedServer(engine_for().url, lambda request: ANSWER, faults=choose) as server,
        aiohttp.ClientSession() as session,
    ):
        status, headers, body = 0, {}, b""
        try:
            async with session.post(server.url + "/v1/chat/completions", json=BODY | {"stream": stream}) as answer:
                status, headers = answer.status, dict(answer.headers)
                async for piece in answer.content.iter_any():
                    body += piece
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
            body += b"(closed)"
        async with asyncio.timeout(30):
            await server.until(lambda: len(server.exchanges) == 1)
        # The next request goes well.
        async with session.post(server.url + "/v1/chat/completions", json=BODY) as answer:
            assert (await answer.json())["choices"][0]["message"]["content"] == ANSWER.text
        return status, headers, body, server


def words(body: bytes) -> str:
    """The text of the deltas in a stream."""
    chunks = [line[6:] for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    found = ""
    for chunk in chunks:
        try:
            choices = json.loads(chunk).get("choices", [])
        except json.JSONDecodeError:
            found += "(garbled)"
            continue
        found += "".join(choice["delta"].get("content") or "" for choice in choices)
    return found


@pytest.mark.parametrize("stream", [True, False])
async def test_refuse(engine_for: EngineFor, stream: bool) -> None:
    status, headers, body, server = await meet(engine_for, Refuse(429, retry_after=7), stream=stream)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert json.loads(body)["error"]["code"] == 429
    assert (server.exchanges[0].status, server.exchanges[0].prompt_tokens) == (429, 0)
    assert not server.exchanges[0].cancelled
    _, without, _, _ = await meet(engine_for, Refuse(503), stream=stream)
    assert "Retry-After" not in without


@pytest.mark.parametrize(("stream", "after"), [(True, -1), (False, -1), (False, 1)])
async def test_hang_up_before_the_headers(engine_for: EngineFor, stream: bool, after: int) -> None:
    status, _, body, server = await meet(engine_for, HangUp(after), stream=stream)
    assert (status, body) == (0, b"(closed)")
    assert (server.exchanges[0].status, server.exchanges[0].cancelled) == (0, False)


@pytest.mark.parametrize("after", [0, 2])
async def test_hang_up_in_the_stream(engine_for: EngineFor, after: int) -> None:
    status, _, body, server = await meet(engine_for, HangUp(after), stream=True)
    assert status == 200
    assert body.endswith(b"(closed)")
    assert words(body) == ANSWER.text[: 24 * after]
    assert server.exchanges[0].fault == HangUp(after)
    assert not server.exchanges[0].cancelled


async def test_stream_error(engine_for: EngineFor) -> None:
    status, _, body, _ = await meet(engine_for, StreamError(1, "It broke."), stream=True)
    assert status == 200
    assert words(body) == ANSWER.text[:24]
    assert json.loads(body.strip().rsplit(b"data: ", 1)[1])["error"]["message"] == "It broke."
    status, _, body, _ = await meet(engine_for, StreamError(1, "It broke."), stream=False)
    assert (status, json.loads(body)["error"]["message"]) == (500, "It broke.")


async def test_garble(engine_for: EngineFor) -> None:
    status, _, body, _ = await meet(engine_for, Garble(1), stream=True)
    assert status == 200
    assert words(body) == ANSWER.text[:24] + "(garbled)" + ANSWER.text[24:]
    assert body.endswith(b"data: [DONE]\n\n")
    status, _, body, _ = await meet(engine_for, Garble(), stream=False)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_stall_until_let_go(engine_for: EngineFor) -> None:
    let_go = asyncio.Event()

    async with (
        ScriptedServer(
            engine_for().url, lambda request: ANSWER, faults=lambda index, body: Stall(until=let_go)
        ) as server,
        aiohttp.ClientSession() as session,
        session.post(server.url + "/v1/chat/completions", json=BODY | {"stream": True}) as answer,
    ):
        seen = b""
        # The progress of the prompt comes, to its end; then nothing until the test lets go.
        while b'"processed":' not in seen or b'"processed":0,' in seen.rsplit(b"data: ", 1)[1]:
            seen += await answer.content.readany()
        assert words(seen) == ""
        assert server.exchanges == []
        let_go.set()
        assert words(seen + await answer.content.read()) == ANSWER.text


async def test_a_caller_that_hangs_up_while_it_stalls_is_recorded(engine_for: EngineFor) -> None:
    async with (
        ScriptedServer(
            engine_for().url, lambda request: ANSWER, faults=lambda index, body: Stall(until=asyncio.Event())
        ) as server,
        aiohttp.ClientSession() as session,
    ):
        async with session.post(server.url + "/v1/chat/completions", json=BODY | {"stream": True}) as answer:
            await answer.content.readline()
        async with asyncio.timeout(30):
            await server.until(lambda: len(server.exchanges) == 1)
        assert server.exchanges[0].cancelled


async def test_stall_for_a_time(engine_for: EngineFor) -> None:
    status, _, body, _ = await meet(engine_for, Stall(seconds=0.01), stream=True)
    assert status == 200
    assert words(body) == ANSWER.text
