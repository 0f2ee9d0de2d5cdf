"""A tool that comes late, on every way to a real vLLM: the head stands, and the new tool can be called."""

from __future__ import annotations

import json
from typing import Final

import aiohttp
import pytest

from keepwarm.shell.client import Upstream
from keepwarm.testing.vllm import Vllm
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import TOOL, Json, Talk, post
from tests.vllm.test_token_ids import chat_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {"level": {"enum": ["low"]}},
    "required": ["level"],
    "additionalProperties": False,
}
LATE: Final[Json] = {"name": "Tracker", "description": "How much is open.", "input_schema": SCHEMA, "strict": True}
"""Strict, so that a model that answers in noise gives it arguments."""
WAYS: Final = (("anthropic", "/v1/messages"), ("", "/v1/chat/completions"))


def strict(chat: Json) -> Json:
    """A chat body whose late tool is strict; an ordinary proxy does not say so."""
    for tool in chat["tools"]:
        if tool["function"]["name"] == LATE["name"]:
            tool["function"]["strict"] = True
    return chat


async def test_it_is_seen_by_asking_for_its_tokens(vllm: Vllm) -> None:
    upstream = Upstream(vllm.url)
    traits = await upstream.traits()
    await upstream.close()
    assert traits is not None
    assert (traits.server, traits.quiet_tools) == ("vllm", True)


@pytest.mark.parametrize(("kind", "path"), WAYS)
async def test_it_costs_what_is_new_and_can_be_called(
    kind: str, path: str, vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession
) -> None:
    gateway = await open_gateway(vllm.url, upstream__kind=kind)
    records = Records(gateway)
    talk = Talk(f"a late tool {kind} {path}")
    for turn, tools in enumerate(([TOOL], [LATE, TOOL], [LATE, TOOL])):
        body = talk.body(tools=tools, max_tokens=64)
        if turn:
            body["tool_choice"] = {"type": "tool", "name": LATE["name"]}
        answer = await post(http, gateway.url + path, body if path == "/v1/messages" else strict(chat_of(body)))
        await records.until(turn + 1)
        if turn:  # the grammar of a call is made of `tools`; a model that answers in noise may not come to its end
            assert LATE["name"] in json.dumps(answer)
        talk.answered(f"Turn {turn} is done.")
    before = [record.usage.prompt_tokens for record in records]
    reused = [record.usage.cached_tokens for record in records]
    for turn in (1, 2):
        earlier, cached = before[turn - 1], reused[turn]
        assert earlier is not None
        assert cached is not None
        assert cached > earlier - vllm.options.block
    assert [note.code for note in records[1].edits if note.code == "ORD002"]
