"""The scripted vLLM's calls to the real one: the tokens of a prompt, processing it, and leaving an answer in the cache.

All of them go to vLLM's own endpoints with the body as it came, so what is made of a Messages body is vLLM's own doing.
"""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import msgspec
from msgspec.structs import replace

from keepwarm.testing.answers import Answer
from keepwarm.testing.slot_calls import Refused
from keepwarm.testing.vllm import NAME
from keepwarm.testing.vllm_shapes import Counted

END_OF_TURN: Final = "<|im_end|>"
"""As each of `templates` writes it."""
CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
Json = dict[str, Any]
_SENTINEL: Final = "keepwarm-sentinel-5f1c"
_HOLE: Final = "keepwarm_hole_"
# A budget of reasoning wants a reasoning parser, which a model without thoughts of its own does not have.
_LEFT_OUT: Final = ("stream", "stream_options", "max_completion_tokens", "thinking")
_PROCESSED: Final = ("vllm:prompt_tokens_total", "vllm:prefix_cache_hits_total")
_PIECE: Final = 3
"""Characters of a token where an answer is to be read otherwise than it was generated."""


class VllmCalls:
    """One vLLM and one of its caches. Every method may raise Refused."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, salt: str) -> None:
        """url   the real vLLM's, with the model NAME

        salt  of the cache: prompts of another salt are not found, so each one is a cache of its own
        """
        self._session, self._url, self._salt = session, url, salt
        self.block = 1
        """Tokens that are cached together, after `look`."""

    async def look(self) -> None:
        """Read the block size from /metrics. LookupError where it is not told."""
        for line in (await self._get("/metrics")).decode().splitlines():
            if line.startswith("vllm:cache_config_info{"):
                _, _, behind = line.partition('block_size="')
                self.block = int(behind.partition('"')[0])
                return
        raise LookupError("vLLM's /metrics has no block size")

    async def processed_total(self) -> int:
        """Prompt tokens that vLLM has processed since its start, whoever asked: all but those it found in a cache."""
        found = dict.fromkeys(_PROCESSED, 0.0)
        for line in (await self._get("/metrics")).decode().splitlines():
            name = line.partition("{")[0].partition(" ")[0]
            if name in found:
                found[name] += float(line.rsplit(" ", 1)[1])
        prompts, hits = (int(found[name]) for name in _PROCESSED)
        return prompts - hits

    async def prompt(self, path: str, body: Json) -> list[int]:
        """The tokens that vLLM makes of a request."""
        rendered = await self._post(f"{path}/render", self._own(body))
        return [int(token) for token in rendered["token_ids"]]

    async def text(self, tokens: list[int]) -> str:
        """The words of some tokens."""
        return str((await self._post("/detokenize", {"model": NAME, "tokens": tokens}))["prompt"])

    async def tokens(self, text: str, *, in_pieces: bool = False) -> list[int]:
        """The tokens of a text.

        in_pieces  those of a text that was generated a few letters at a time, as the tokenizer would not choose them
        """
        found: list[int] = []
        step = _PIECE if in_pieces else max(1, len(text))
        for start in range(0, len(text), step):
            asked = {"model": NAME, "prompt": text[start : start + step], "add_special_tokens": False}
            found += [int(token) for token in (await self._post("/tokenize", asked))["tokens"]]
        return found

    async def prefill(self, path: str, body: Json) -> Counted:
        """Process the prompt of a request; the one token that is generated never enters the cache."""
        usage = (await self._post(path, self._own(body) | {"max_tokens": 1}))["usage"]
        if path == MESSAGES:
            cached = usage.get("cache_read_input_tokens")
            written = usage.get("cache_creation_input_tokens") or 0
            return Counted(usage["input_tokens"] + (cached or 0) + written, cached)
        return _counted(usage)

    async def feed(self, tokens: list[int]) -> Counted:
        """Process `tokens` as they stand."""
        asked = {"model": NAME, "prompt": tokens, "max_tokens": 1, "cache_salt": self._salt}
        return _counted((await self._post("/v1/completions", asked))["usage"])

    async def generated_text(self, path: str, body: Json, prompt: str, answer: Answer) -> str | None:
        """What the model would have generated for `answer` behind `prompt`, without the token that ends the turn.

        None when the template does not render the answer right behind the prompt. The arguments of tool calls stand as
        in the answer: vLLM prints them anew, so they are put in afterwards.
        """
        holes = tuple((name, f'{{"{_HOLE}{index}": 0}}') for index, (name, _) in enumerate(answer.tool_calls))
        text = await self._behind(path, body, prompt, replace(answer, tool_calls=holes))
        for (_, hole), (_, arguments) in zip(holes, answer.tool_calls, strict=True):
            text = text and text.replace(hole, arguments, 1)
        return text

    async def _behind(self, path: str, body: Json, prompt: str, answer: Answer) -> str | None:
        # A tool result behind the answer: a user message would make templates drop the thinking.
        row = _as_messages(answer) if path == MESSAGES else _as_chat(answer)
        rendered = await self.text(await self.prompt(path, body | {"messages": [*body["messages"], *row]}))
        if not rendered.startswith(prompt):
            return None
        behind = rendered[len(prompt) : rendered.rindex(_SENTINEL)]
        end = behind.rfind(END_OF_TURN)
        return behind[:end] if end >= 0 else None

    def _own(self, body: Json) -> Json:
        """A request as this vLLM takes it: not streamed, of its one model, in this cache."""
        kept = {name: value for name, value in body.items() if name not in _LEFT_OUT}
        return kept | {"model": NAME, "cache_salt": self._salt}

    async def _get(self, path: str) -> bytes:
        async with self._session.get(self._url + path) as answer:
            return await answer.read()

    async def _post(self, path: str, body: Json) -> Json:
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url + path, data=msgspec.json.encode(body), headers=headers) as answer:
            said = await answer.read()
            if answer.status != 200:
                raise Refused(answer.status, said, answer.content_type)
            return msgspec.json.decode(said, type=Json)


def _counted(usage: Json) -> Counted:
    details = usage.get("prompt_tokens_details") or {}
    return Counted(usage["prompt_tokens"], details.get("cached_tokens"))


def _as_messages(answer: Answer) -> list[Json]:
    content: list[Json] = []
    if answer.thinking:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": "none"})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for index, (name, arguments) in enumerate(answer.tool_calls):
        given = msgspec.Raw(arguments.encode())
        content.append({"type": "tool_use", "id": f"call_{index}", "name": name, "input": given})
    result = {"type": "tool_result", "tool_use_id": "call_0", "content": _SENTINEL}
    return [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]


def _as_chat(answer: Answer) -> list[Json]:
    message: Json = {"role": "assistant", "content": answer.text}
    if answer.thinking:
        message["reasoning"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(answer.tool_calls)
        ]
    return [message, {"role": "tool", "tool_call_id": "call_0", "content": _SENTINEL}]
