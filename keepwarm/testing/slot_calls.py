"""The scripted server's calls to the real engine: render, prefill, leave an answer in the slot; one request a slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from keepwarm.testing.answers import Answer

_SENTINEL: Final = "keepwarm-sentinel-5f1c"
_HOLE: Final = "keepwarm_hole_"
_FIELDS: Final = ["id_slot", "timings", "tokens_evaluated", "prompt_progress", "stop", "error"]


class Refused(Exception):
    """The engine's answer was an error: it goes to the caller as it came."""

    def __init__(self, status: int, body: bytes, content_type: str) -> None:
        super().__init__(f"{status}: {body[:500].decode('utf-8', 'replace')}")
        self.status = status
        self.body = body
        self.content_type = content_type


class Prefilled(msgspec.Struct, frozen=True):
    """What the engine says about a prompt it has processed."""

    slot: int
    """The slot that now holds the prompt."""
    cached: int
    """Tokens taken from the cache."""
    processed: int
    """Tokens processed."""
    milliseconds: float
    """Time of processing them."""

    @property
    def tokens(self) -> int:
        """All tokens of the prompt."""
        return self.cached + self.processed


class SlotLocks:
    """One request a slot; one that leaves the choice to the engine waits until all are free: any may be taken."""

    def __init__(self, slots: int) -> None:
        self._locks = [asyncio.Lock() for _ in range(slots)]

    @asynccontextmanager
    async def hold(self, slot: int | None) -> AsyncIterator[None]:
        """Hold `slot`, or all of them for None (always in the same order, so nobody waits for each other)."""
        async with AsyncExitStack() as held:
            for lock in self._locks if slot is None else [self._locks[slot]]:
                await held.enter_async_context(lock)
            yield


class SlotCalls:
    """The engine's own endpoints, asked for what the scripted server needs. Every method may raise Refused."""

    def __init__(self, session: aiohttp.ClientSession, engine_url: str) -> None:
        self._session = session
        self._url = engine_url
        self.slots = 1
        """How many slots the engine has, after `look`."""
        self._end_of_turn = ""

    async def look(self) -> None:
        """Read from /props how many slots there are and which token ends a turn."""
        props = msgspec.json.decode(await self._get("/props"), type=dict[str, Any])
        self.slots = int(props["total_slots"])
        self._end_of_turn = str(props["eos_token"])

    async def prompt_tokens_total(self) -> int:
        """The engine's own count of prompt tokens processed since its start (/metrics)."""
        for line in (await self._get("/metrics")).decode().splitlines():
            if line.startswith("llamacpp:prompt_tokens_total "):
                return int(float(line.split()[1]))
        raise LookupError("the engine's /metrics has no llamacpp:prompt_tokens_total")

    async def render(self, body: bytes) -> str:
        """The prompt text of a chat-completions body, by the engine's chat template."""
        rendered = msgspec.json.decode(await self._post("/apply-template", body), type=dict[str, Any])
        return str(rendered["prompt"])

    async def prefill(
        self,
        prompt: str | list[int],
        request: dict[str, Any],
        on_progress: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        slot: int | None,
    ) -> Prefilled:
        """Process `prompt` (a text, or its tokens) and generate nothing.

        `on_progress` is awaited with each prompt_progress as it comes.
        """
        # n_predict 0 still samples one token, which never enters the slot: cached + processed is the prompt exactly.
        call: dict[str, Any] = {"prompt": prompt, "n_predict": 0, "stream": True, "return_progress": True}
        call["response_fields"] = _FIELDS
        if slot is not None:
            call["id_slot"] = slot
        if "cache_prompt" in request:
            call["cache_prompt"] = request["cache_prompt"]
        async with self._session.post(f"{self._url}/completion", json=call) as answer:
            if answer.status != 200:
                raise Refused(answer.status, await answer.read(), answer.content_type)
            async for event in _events(answer.content):
                if event.get("prompt_progress"):
                    await on_progress(event["prompt_progress"])
                elif "error" in event:
                    status = int(event["error"].get("code", 500))
                    raise Refused(status, msgspec.json.encode(event), "application/json")
                elif event.get("timings"):
                    timings = event["timings"]
                    return Prefilled(event["id_slot"], timings["cache_n"], timings["prompt_n"], timings["prompt_ms"])
        raise Refused(
            502, b'{"error":{"code":502,"message":"the engine said nothing","type":"server_error"}}', "application/json"
        )

    async def tokens_in_pieces(self, prompt: str, generated: str) -> list[int]:
        """The tokens of a prompt, and behind them those of a text that was generated in pieces of a few letters."""
        tokens = await self._tokens(prompt, add_special=True)
        for start in range(0, len(generated), 3):
            tokens += await self._tokens(generated[start : start + 3], add_special=False)
        return tokens

    async def _tokens(self, text: str, *, add_special: bool) -> list[int]:
        asked = msgspec.json.encode({"content": text, "add_special": add_special, "parse_special": True})
        told = msgspec.json.decode(await self._post("/tokenize", asked), type=dict[str, Any])
        return [int(token) for token in told["tokens"]]

    async def generated_text(self, request: dict[str, Any], prompt: str, answer: Answer) -> str | None:
        """What the model would have generated for `answer` behind `prompt`, without the token that ends the turn.

        None when the template does not render the answer right behind the prompt (a prompt that ends in an assistant
        message). The arguments of tool calls stand as in the answer: llama.cpp would print them anew, so they are put
        in afterwards.
        """
        holes = tuple((name, f'{{"{_HOLE}{index}": 0}}') for index, (name, _) in enumerate(answer.tool_calls))
        text = await self._rendered_answer(request, prompt, msgspec.structs.replace(answer, tool_calls=holes))
        if text is None:
            return None
        for (_, hole), (_, arguments) in zip(holes, answer.tool_calls, strict=True):
            if hole not in text:
                # A template that does not print arguments as one JSON object has its own way to print them.
                return await self._rendered_answer(request, prompt, answer)
            text = text.replace(hole, arguments, 1)
        return text

    async def _rendered_answer(self, request: dict[str, Any], prompt: str, answer: Answer) -> str | None:
        # A tool result behind the answer, because llama.cpp takes an assistant message that comes last for one to
        # continue, and a user message would make templates drop the thinking.
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.thinking:
            message["reasoning_content"] = answer.thinking
        if answer.tool_calls:
            message["tool_calls"] = [
                {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for index, (name, arguments) in enumerate(answer.tool_calls)
            ]
        sentinel = {"role": "tool", "tool_call_id": "call_0", "content": _SENTINEL}
        body = {**request, "messages": [*request["messages"], message, sentinel]}
        rendered = await self.render(msgspec.json.encode(body))
        if not rendered.startswith(prompt):
            return None
        behind = rendered[len(prompt) : rendered.rindex(_SENTINEL)]
        end = behind.rfind(self._end_of_turn)
        return behind[:end] if end >= 0 else None

    async def _get(self, path: str) -> bytes:
        async with self._session.get(self._url + path) as answer:
            return await self._body(answer)

    async def _post(self, path: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url + path, data=body, headers=headers) as answer:
            return await self._body(answer)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        body = await answer.read()
        if answer.status != 200:
            raise Refused(answer.status, body, answer.content_type)
        return body


async def engine_prompt_tokens(engine_url: str) -> int:
    """The count of prompt tokens the engine at `engine_url` has processed since its start, by its own /metrics."""
    async with aiohttp.ClientSession() as session:
        return await SlotCalls(session, engine_url).prompt_tokens_total()


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each data line. Not read line by line: a line may be longer than the reader's limit."""
    buffer = b""
    async for piece in content.iter_any():
        buffer += piece
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                yield msgspec.json.decode(line[6:])
