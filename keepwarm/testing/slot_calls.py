"""The scripted server's calls to the real engine: render, prefill, leave an answer in the slot; one request a slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeAlias

import aiohttp
import msgspec

from keepwarm.testing.answers import Answer

_SENTINEL: Final = "keepwarm-sentinel-5f1c"
_HOLE: Final = "keepwarm_hole_"
_FIELDS: Final = ["id_slot", "timings", "tokens_evaluated", "prompt_progress", "stop", "error"]
_LENGTHS: Final = ("max_tokens", "max_completion_tokens", "n_predict", "n", "stream_options")


OnProgress: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


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
    generated: int = 0
    """Tokens generated behind the prompt that are in the slot too."""

    @property
    def tokens(self) -> int:
        """All tokens that the slot holds."""
        return self.cached + self.processed + self.generated


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

    async def prefill(self, request: dict[str, Any], on_progress: OnProgress, *, slot: int | None) -> Prefilled:
        """Process the prompt of a chat-completions body and generate nothing.

        It goes to the chat endpoint and not as text, because only there llama.cpp knows where messages begin: that is
        where it leaves context checkpoints for a model that cannot go back. `on_progress` is awaited with each
        prompt_progress as it comes.
        """
        call = {name: value for name, value in request.items() if name not in _LENGTHS}
        call |= {"max_tokens": 0, "stream": True, "return_progress": True}
        if slot is not None:
            call["id_slot"] = slot
        timings, _ = await self._run("/v1/chat/completions", call, on_progress)
        return _prefilled(timings, slot if slot is not None else await self._latest_slot())

    async def feed(self, prompt: str | list[int], *, slot: int | None) -> Prefilled:
        """Process `prompt` (a text, or its tokens) as it stands and generate nothing."""
        # n_predict 0 still samples one token, which never enters the slot: cached + processed is the prompt exactly.
        call: dict[str, Any] = {"prompt": prompt, "n_predict": 0, "stream": True, "response_fields": _FIELDS}
        if slot is not None:
            call["id_slot"] = slot
        timings, used = await self._run("/completion", call, _ignore)
        return _prefilled(timings, used)

    async def generate(self, prompt: str, tokens: list[int], *, slot: int) -> Prefilled:
        """Have the engine generate `tokens` behind `prompt`, one by one: a grammar leaves it no other choice.

        Unlike `feed` this leaves no context checkpoint behind the answer, as no real answer does. About 5 ms a token.
        """
        call = {
            "prompt": prompt,
            "id_slot": slot,
            "n_predict": len(tokens) + 1,  # the last one ends the turn
            "grammar": "root ::= " + " ".join(f"<[{token}]>" for token in tokens),
            "stream": True,
            "response_fields": _FIELDS,
        }
        timings, used = await self._run("/completion", call, _ignore)
        return _prefilled(timings, used, generated=timings["predicted_n"] - 1)

    async def _run(self, path: str, call: dict[str, Any], on_progress: OnProgress) -> tuple[dict[str, Any], int]:
        """The timings of a streamed completion and its slot, -1 where it does not say."""
        async with self._session.post(self._url + path, json=call) as answer:
            if answer.status != 200:
                raise Refused(answer.status, await answer.read(), answer.content_type)
            async for event in _events(answer.content):
                if event.get("prompt_progress"):
                    await on_progress(event["prompt_progress"])
                elif "error" in event:
                    status = int(event["error"].get("code", 500))
                    raise Refused(status, msgspec.json.encode(event), "application/json")
                elif event.get("timings"):
                    return event["timings"], event.get("id_slot", -1)
        raise Refused(
            502, b'{"error":{"code":502,"message":"the engine said nothing","type":"server_error"}}', "application/json"
        )

    async def _latest_slot(self) -> int:
        """The slot of the newest task: the chat endpoint does not say which one it took."""
        slots = msgspec.json.decode(await self._get("/slots"), type=list[dict[str, Any]])
        return int(max(slots, key=lambda slot: slot.get("id_task", -1))["id"])

    async def tokens(self, text: str, *, add_special: bool = False, in_pieces: bool = False) -> list[int]:
        """The tokens of a text, of a whole prompt with `add_special`.

        in_pieces  those of a text that was generated a few letters at a time, as the tokenizer would not choose them
        """
        found: list[int] = []
        step = 3 if in_pieces else max(1, len(text))
        for start in range(0, len(text), step):
            asked = {"content": text[start : start + step], "add_special": add_special, "parse_special": True}
            told = msgspec.json.decode(await self._post("/tokenize", msgspec.json.encode(asked)), type=dict[str, Any])
            found += [int(token) for token in told["tokens"]]
        return found

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


def _prefilled(timings: dict[str, Any], slot: int, generated: int = 0) -> Prefilled:
    return Prefilled(slot, timings["cache_n"], timings["prompt_n"], timings["prompt_ms"], generated)


async def _ignore(progress: dict[str, Any]) -> None:
    """Nobody is told how an answer enters its slot."""


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each data line. Not read line by line: a line may be longer than the reader's limit."""
    buffer = b""
    async for piece in content.iter_any():
        buffer += piece
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                yield msgspec.json.decode(line[6:])
