"""Talking to one model server: a pool of connections, what it says of itself, and small questions."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import aiohttp
from msgspec.structs import replace

from keepwarm.codec.gguf_fields import ENOUGH
from keepwarm.shell.slot import Slot
from keepwarm.upstream import llamacpp, vllm, vllm_tools
from keepwarm.upstream.api import Outgoing, Traits
from keepwarm.upstream.memory import Memory, memory_of

CONNECT_SECONDS = 10.0
TRAITS_SECONDS = 10.0
"""How long a server may take to say what it is."""
VLLM_SECONDS = 2.0
"""Of these, for what can be done without."""
_ANTHROPIC = ("anthropic.com",)
_NOT_THERE = (404, 405, 501)
_FIRST_PARTY = (*_ANTHROPIC, "amazonaws.com", "googleapis.com")
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


class Upstream:
    """One model server."""

    def __init__(self, url: str, *, kind: str = "", key: str = "", rewrite: bool | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._kind = kind
        self._key = key
        self._rewrite = rewrite
        self._traits: Traits | None = None
        self._slots: dict[int, Slot] = {}
        self._asking = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool; made at first use, in the loop that uses it."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept-Encoding", "Accept"),
            )
        return self._session

    def open(self, request: Outgoing) -> aiohttp.client._RequestContextManager:
        """A request under way, as aiohttp gives it."""
        headers = dict(request.headers)
        if self._key:
            headers.pop("x-api-key", None)
            headers.pop("authorization", None)
            # Local servers read a bearer token, whatever protocol they speak; Anthropic takes keys only here.
            is_anthropics = _belongs_to(_ANTHROPIC, self.url)
            name, value = ("x-api-key", self._key) if is_anthropics else ("authorization", f"Bearer {self._key}")
            headers[name] = value
        return self.session.request(request.method, self.url + request.path, data=request.body or None, headers=headers)

    async def begin(self, request: Outgoing) -> aiohttp.ClientResponse:
        """The response as soon as its headers are there.

        llama.cpp closes a connection behind a stream although it has promised to keep it, and the next request on
        it then dies unread: such a one is sent once more.
        """
        try:
            return await self.open(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            return await self.open(request)

    async def ask(self, request: Outgoing) -> tuple[int, bytes]:
        """(status, body) of a small request; status 0 when nothing came back."""
        try:
            async with await self.begin(request) as response:
                return response.status, await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return 0, b""

    async def traits(self, authorization: str = "") -> Traits | None:
        """What is known of the server; None while it cannot be reached. Asked once, and again after `forget`.

        authorization  the client's, for a server that wants its key before it tells of itself; what is known
                       without is not kept, so that the next request asks again
        """
        if self._traits is not None:
            return self._traits
        async with self._asking:
            if self._traits is None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TRAITS_SECONDS):
                        traits, whole = await self._ask_traits(authorization)
                        self._traits = traits if whole else None
                        return traits
        return self._traits

    @property
    def known(self) -> Traits | None:
        """What is known of the server now, without asking it."""
        return self._traits

    def slot(self, number: int) -> Slot:
        """A slot of the server, by its number."""
        return self._slots.setdefault(number, Slot())

    def forget(self) -> None:
        """The connection failed: what comes back may be another server."""
        self._traits = None

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask_traits(self, authorization: str) -> tuple[Traits | None, bool]:
        """(what the server says, whether that is all of it)."""
        traits, whole = await self._ask_kind(authorization)
        if traits is not None and traits.kind != "llamacpp" and not traits.first_party:
            key = (("authorization", authorization),) if authorization else ()
            traits = await self._ask_vllm(traits, key)
        return traits, whole

    async def _ask_kind(self, authorization: str) -> tuple[Traits | None, bool]:
        first_party = self._rewrite is not True and is_provider(self.url)
        if first_party:
            return Traits("anthropic", first_party=True), True
        key = (("authorization", authorization),) if authorization else ()
        status, body = await self.ask(Outgoing("/props", b"", key, "GET"))
        if status == 0 or status == 503:  # llama.cpp says 503 while it loads its model
            return None, False
        said = llamacpp.traits(body) if status == 200 else None
        if said is not None and urlsplit(self.url).hostname in _THIS_MACHINE:
            said = replace(said, memory=await asyncio.to_thread(_memory_of, llamacpp.model_file(body)))
        shut = status in (401, 403)
        if self._kind == "anthropic":
            return await self._with_chat(Traits("anthropic"), key), not shut
        if self._kind:
            kind = replace(said, kind=self._kind) if said and self._kind == "llamacpp" else Traits(self._kind)
            return kind, not shut
        if said is not None:
            return said, True
        status = await self._knock("/v1/messages", key)
        if shut and status in (401, 403):  # so llama.cpp is without its key: the next request may bring it
            return Traits("llamacpp"), False
        if status in (0, *_NOT_THERE):
            return Traits("chat"), True
        return await self._with_chat(Traits("anthropic"), key), True

    async def _with_chat(self, traits: Traits, key: tuple[tuple[str, str], ...]) -> Traits:
        """`traits` of a server that speaks the Messages API, with the word whether it takes chat completions too."""
        return replace(traits, chat=await self._knock("/v1/chat/completions", key) not in _NOT_THERE)

    async def _ask_vllm(self, traits: Traits, key: tuple[tuple[str, str], ...]) -> Traits:
        """`traits` with what vLLM tells besides; as they are where another serves, or it does not tell at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VLLM_SECONDS):
                status, body = await self.ask(vllm.settings(key))
                if status == 200 and vllm.is_vllm(body):
                    traits = replace(traits, server="vllm", block=vllm.block(body), unread=vllm.UNREAD)
                    plain, told = [await self.ask(question) for question in vllm.thoughts(key)]
                    traits = replace(traits, drops_thinking=vllm.drops_thinking(plain, told))
                    counts = [vllm.count(*await self.ask(question)) for question in vllm_tools.questions(key)]
                    traits = replace(traits, quiet_tools=vllm_tools.is_heeded(*counts))
        return traits

    async def _knock(self, path: str, key: tuple[tuple[str, str], ...]) -> int:
        """The status of an empty request, which is refused where it is understood, and not found where it is not."""
        status, _ = await self.ask(Outgoing(path, b"{}", (("content-type", "application/json"), *key)))
        return status


def is_provider(url: str) -> bool:
    """Whether an address is Anthropic's, Bedrock's or Vertex's: observed, never rewritten, and paid by the token."""
    return _belongs_to(_FIRST_PARTY, url)


def _belongs_to(names: tuple[str, ...], url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return any(host == name or host.endswith("." + name) for name in names)


def _memory_of(path: str) -> Memory:
    """What the model's file says of itself, where this process can read it. A server behind a forwarded port, or in
    a container, names a file that is not here: then it stays unknown."""
    if not path.startswith("/"):
        return ""
    try:
        with open(path, "rb") as file:
            return memory_of(file.read(ENOUGH))
    except (OSError, ValueError):
        return ""
