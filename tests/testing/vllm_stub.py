"""A stand-in for vLLM's own endpoints: a token is a character, a block is 8, and nothing is ever forgotten."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from keepwarm.testing.messages_shapes import as_chat

BLOCK = 8
Json = dict[str, Any]


class VllmStub:
    """What it was asked is in `seen`: (path, body)."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, Json]] = []
        self._held: list[tuple[str, str]] = []
        self._prompts = self._hits = 0

    def rendered(self, path: str, body: Json) -> str:
        chat = as_chat(body) if "messages" in path else body
        text = "".join(f"<{tool['function']['name']}>" for tool in chat.get("tools", ()))
        for message in chat["messages"]:
            thinking = message.get("reasoning") or message.get("reasoning_content") or ""
            content = message.get("content") or ""
            words = content if isinstance(content, str) else "".join(part["text"] for part in content)
            calls = [json.loads(call["function"]["arguments"]) for call in message.get("tool_calls", ())]
            text += f"{message['role']}:{thinking}{words}{''.join(map(json.dumps, calls))}<|im_end|>"
        return text + "assistant:"

    def read(self, prompt: str, salt: str) -> Json:
        """The usage of a prompt."""
        cached = 0
        for held, other in self._held:
            pairs = enumerate(zip(held, prompt, strict=False))
            shared = next((at for at, (old, new) in pairs if old != new), min(len(held), len(prompt)))
            cached = max(cached, min(shared, len(prompt) - 1) // BLOCK * BLOCK if salt == other else 0)
        self._held.append((prompt, salt))
        self._prompts, self._hits = self._prompts + len(prompt), self._hits + cached
        return {"prompt_tokens": len(prompt), "prompt_tokens_details": {"cached_tokens": cached}}

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        if path == "/metrics":
            text = f'vllm:cache_config_info{{block_size="{BLOCK}"}} 1.0\nvllm:prompt_tokens_total{{a="b"}} '
            return web.Response(text=f"{text}{self._prompts}.0\nvllm:prefix_cache_hits_total {self._hits}.0\n")
        body = await request.json() if request.can_read_body else {}
        self.seen.append((path, body))
        match path:
            case "/tokenize":
                return web.json_response({"tokens": [ord(letter) for letter in body["prompt"]]})
            case "/detokenize":
                return web.json_response({"prompt": "".join(map(chr, body["tokens"]))})
            case "/v1/completions":
                prompt = "".join(map(chr, body["prompt"]))
                return web.json_response({"usage": self.read(prompt, body["cache_salt"])})
            case "/v1/messages/render" | "/v1/chat/completions/render":
                return web.json_response({"token_ids": [ord(letter) for letter in self.rendered(path, body)]})
            case "/v1/messages" | "/v1/chat/completions" if body.get("messages"):
                usage = self.read(self.rendered(path, body), body["cache_salt"])
                if path == "/v1/messages":
                    cached = usage["prompt_tokens_details"]["cached_tokens"]
                    fresh = usage["prompt_tokens"] - cached
                    usage = {"input_tokens": fresh, "cache_read_input_tokens": cached}
                return web.json_response({"usage": usage})
        return web.json_response({"error": {"message": "no"}}, status=400)


@asynccontextmanager
async def vllm_stub() -> AsyncIterator[VllmStub]:
    """One that runs."""
    stub = VllmStub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    yield stub
    await runner.cleanup()
