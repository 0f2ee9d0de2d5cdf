"""That a model can call a tool which its template did not print: a real model, on the engine's own endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from keepwarm.core.prompt import Options
from keepwarm.engine.demo_model import find_demo_model
from keepwarm.engine.llama import Engine, EngineOptions
from keepwarm.testing.templates import template_text
from keepwarm.upstream.api import Draft
from keepwarm.upstream.llamacpp import LlamaCpp

Json = dict[str, Any]


@pytest.fixture(scope="module")
def demo_engine() -> Iterator[Engine]:
    """The demo model, which writes words and calls, with a template that prints tools."""
    options = EngineOptions(
        model=find_demo_model(), context=8192, threads=1, chat_template=template_text("qwen_like"), cache_ram_mib=0
    )
    with Engine(options) as engine:
        yield engine


def tool(name: str) -> bytes:
    schema = {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]}
    function = {"name": name, "description": f"Does {name}.", "parameters": schema}
    return json.dumps({"type": "function", "function": function}).encode()


def calls_of(name: str, count: int) -> list[Json]:
    """A conversation in which the model has called a tool again and again: a small model goes on with that."""
    row: list[Json] = []
    for q in range(count):
        call = {"id": f"c{q}", "type": "function", "function": {"name": name, "arguments": json.dumps({"q": q})}}
        row += [
            {"role": "user", "content": f"Call {name} with q={q}"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{q}", "content": "done"},
            {"role": "assistant", "content": "Done."},
        ]
    return [*row, {"role": "user", "content": f"Call {name} with q={count}"}]


async def called(engine: Engine, tools: bytes, late: bytes) -> tuple[list[str], str]:
    """(the tools that the model calls, the prompt that it read)."""
    messages = [json.dumps(message).encode() for message in calls_of("beta", 4)]
    options = Options("m", max_tokens=40, temperature=0.0)
    draft = Draft(b"", options, b"", tools, (b",".join(messages),), ((0, len(messages)),), late=late)
    body = json.loads(LlamaCpp().request(draft).body) | {"stream": False}
    async with aiohttp.ClientSession(engine.url) as http:
        async with http.post("/apply-template", json=body) as rendered:
            prompt = (await rendered.json())["prompt"]
        async with http.post("/v1/chat/completions", json=body) as answer:
            message = (await answer.json())["choices"][0]["message"]
    return [call["function"]["name"] for call in message.get("tool_calls") or ()], prompt


@pytest.mark.parametrize(
    ("tools", "late", "wanted"),
    [
        (b",".join((tool("alpha"), tool("beta"))), b"", ["beta"]),
        (tool("alpha"), tool("beta"), ["beta"]),
        # The grammar lets the model name nothing else: what is not offered cannot be called.
        (tool("alpha"), b"", ["alpha"]),
    ],
    ids=["printed", "late", "not offered"],
)
async def test_a_late_tool_can_be_called(demo_engine: Engine, tools: bytes, late: bytes, wanted: list[str]) -> None:
    names, prompt = await called(demo_engine, tools, late)
    assert names == wanted
    assert ("Does beta." in prompt) == ("beta" in tools.decode())
