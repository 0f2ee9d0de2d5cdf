"""What a scenario is played on: a scripted server in front of a real llama.cpp, or of a real vLLM."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from keepwarm.testing.answers import Script
from keepwarm.testing.faults import Fault, Stall
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.scenarios.injection import Shape
from keepwarm.testing.scripted import Exchange, ScriptedServer
from keepwarm.testing.scripted_vllm import ScriptedVllm
from keepwarm.testing.vllm_calls import CHAT, MESSAGES

PATIENCE: Final = 120.0
"""Seconds for one request, and for what follows from it."""
Json = dict[str, Any]
Cut: TypeAlias = Callable[[Json], int]
"""A chat completions body -> the pieces of its answer that go out before it stands still; 0 = it does not."""
# A template that drops reasoning by itself would part the prompts where nobody has changed anything.
_KEPT: Final = {"chat_template_kwargs": {"preserve_thinking": True}}


class Server(Protocol):
    """A scripted server with a real engine behind it."""

    url: str
    engine_url: str
    exchanges: list[Exchange]

    @property
    def fed_total(self) -> int:
        """Prompt tokens that the engine processed to have answers in its cache."""

    async def engine_prompt_tokens(self) -> int:
        """Prompt tokens that the engine has processed, by its own count."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that changes with a completion."""


S = TypeVar("S", bound=Server)


class Stand(Protocol, Generic[S]):
    """One kind of engine."""

    def server(self, url: str, script: Script, cut: Cut, *, hoist: bool) -> AbstractAsyncContextManager[S]:
        """A scripted server in front of the engine at `url`; hoist: it moves inline system messages to the head."""

    def block(self, server: S) -> int:
        """Tokens that the engine caches together."""

    async def tokens(self, server: S, body: bytes, shape: Shape) -> list[int]:
        """The tokens of a Messages body, for a client that speaks `shape`, with all of its reasoning."""


class LlamaStand:
    """llama.cpp."""

    def server(self, url: str, script: Script, cut: Cut, *, hoist: bool) -> AbstractAsyncContextManager[ScriptedServer]:
        """It answers Messages by the script too."""

        def fault(index: int, body: Json) -> Fault | None:
            after = cut(body)
            return Stall(seconds=PATIENCE, after=after) if after else None

        return ScriptedServer(url, script, faults=fault, messages=True, hoist=hoist)

    def block(self, server: ScriptedServer) -> int:
        """A token by itself."""
        return 1

    async def tokens(self, server: ScriptedServer, body: bytes, shape: Shape) -> list[int]:
        """By what an ordinary proxy makes of it, whatever the client speaks."""
        chat = msgspec.json.decode(to_chat(body), type=Json)
        prompt = await server.calls.render(msgspec.json.encode(chat | _KEPT))
        return await server.calls.tokens(prompt, add_special=True)


class VllmStand:
    """vLLM, with the model's name and switches of `testing.vllm`. Any number of servers share one: each has a cache
    of its own."""

    def server(self, url: str, script: Script, cut: Cut, *, hoist: bool) -> AbstractAsyncContextManager[ScriptedVllm]:
        """It answers both shapes by the script."""
        return ScriptedVllm(url, script, cut=cut, hoist=hoist)

    def block(self, server: ScriptedVllm) -> int:
        """As vLLM tells it."""
        return server.calls.block

    async def tokens(self, server: ScriptedVllm, body: bytes, shape: Shape) -> list[int]:
        """By what vLLM makes of the client's own shape."""
        path = MESSAGES if shape == "messages" else CHAT
        fields = msgspec.json.decode(body if shape == "messages" else to_chat(body), type=Json)
        return await server.calls.prompt(path, fields | _KEPT)


LLAMA: Final = LlamaStand()
VLLM: Final = VllmStand()
