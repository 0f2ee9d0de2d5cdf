"""A conversation in the Messages shape with a model that answers in noise, and vLLM's own counts of what it cost."""

from __future__ import annotations

import json
import secrets
from typing import Any

import aiohttp
import msgspec

from keepwarm.testing.vllm import NAME, Vllm

Json = dict[str, Any]
TOOL: Json = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
WORDS = "alpha beta gamma delta "
_RUN = secrets.token_hex(4)
"""In every prompt, so that a server that has seen these tests before knows none of it."""


class Counts(msgspec.Struct, frozen=True):
    """What vLLM has counted since its start."""

    prompt: float
    """Tokens of all prompts."""
    cached: float
    """Of these, tokens found in the prefix cache."""

    def since(self, before: Counts) -> Counts:
        """What came after `before`."""
        return Counts(self.prompt - before.prompt, self.cached - before.cached)

    @property
    def processed(self) -> float:
        """Tokens processed."""
        return self.prompt - self.cached


def counts(vllm: Vllm) -> Counts:
    """Now."""
    return Counts(vllm.metrics("vllm:prompt_tokens_total"), vllm.metrics("vllm:prefix_cache_hits_total"))


class Talk:
    """A client that only appends."""

    def __init__(self, name: str, *, system: int = 300, turn: int = 40, billing: str | None = None) -> None:
        """system, turn: how often WORDS (4 tokens) stands there.

        billing   what stands in front of a billing header that has another value each time; None = no header
        """
        self.name = name
        self._system = f"You are {name} ({_RUN}). " + WORDS * system
        self._turn = turn
        self._billing = billing
        self.messages: list[Json] = []

    def body(self, **fields: Any) -> Json:
        """The next request: the user has said something more."""
        said = len(self.messages) // 2
        blocks: list[Json] = [{"type": "text", "text": f"Turn {said}: " + WORDS * self._turn}]
        self.messages.append({"role": "user", "content": blocks})
        system = [{"type": "text", "text": self._system}]
        if self._billing is not None:
            line = (
                f"{self._billing}x-anthropic-billing-header: cc_version=2.1.114.c39; cc_entrypoint=cli; cch={said:05d};"
            )
            system.insert(0, {"type": "text", "text": line})
        return {
            "model": NAME,
            "max_tokens": 12,
            "system": system,
            "tools": [TOOL],
            "messages": list(self.messages),
            **fields,
        }

    def answered(self, text: str) -> None:
        """The model has answered."""
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": text or "-"}]})


async def post(http: aiohttp.ClientSession, url: str, body: Json | bytes) -> Json:
    """The JSON that comes back for a body; an error fails here."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with http.post(url, data=data, headers={"Content-Type": "application/json"}) as answer:
        said: Json = await answer.json()
        assert answer.status == 200, said
        return said


def text_of(message: Json) -> str:
    """The words of a Messages answer."""
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def common(before: list[int], after: list[int]) -> int:
    """How many tokens two prompts share from their beginnings."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))
