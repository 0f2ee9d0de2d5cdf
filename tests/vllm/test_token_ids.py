"""The exact tokens of a prompt, on every way that vLLM tells them: what a verdict of grade `exact` can rest on."""

from __future__ import annotations

import json

import aiohttp
import pytest

from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.vllm import NAME, Vllm
from tests.vllm.talk import Json, Talk, common, counts, post

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]


def chat_of(body: Json) -> Json:
    """A Messages body as an ordinary proxy translates it, not streamed."""
    chat: Json = json.loads(to_chat(json.dumps(body).encode()))
    return {name: value for name, value in chat.items() if name not in ("stream", "stream_options")}


async def test_four_ways_to_the_same_tokens(vllm: Vllm, http: aiohttp.ClientSession) -> None:
    body = Talk("four ways").body()
    chat = chat_of(body)
    before = counts(vllm)
    asked = {"model": NAME, "messages": chat["messages"], "tools": chat["tools"], "add_generation_prompt": True}
    tokenized = await post(http, vllm.url + "/tokenize", asked)
    rendered = await post(http, vllm.url + "/v1/chat/completions/render", chat)
    messages = await post(http, vllm.url + "/v1/messages/render", body)
    assert counts(vllm) == before, "none of them costs the model anything"
    answered = await post(http, vllm.url + "/v1/chat/completions", {**chat, "return_token_ids": True})
    ids = answered["prompt_token_ids"]
    assert len(ids) == answered["usage"]["prompt_tokens"] == tokenized["count"]
    assert tokenized["tokens"] == rendered["token_ids"] == messages["token_ids"] == ids
    assert len(answered["choices"][0]["token_ids"]) == answered["usage"]["completion_tokens"]


THOUGHTS = "Thoughts that a new turn would drop."


@pytest.mark.parametrize(
    ("path", "name", "heard"),
    [
        ("/tokenize", "reasoning", True),
        # Only the chat endpoint gives it vLLM's new name.
        ("/tokenize", "reasoning_content", False),
        ("/v1/chat/completions/render", "reasoning", True),
        ("/v1/chat/completions/render", "reasoning_content", True),
    ],
)
async def test_reasoning_and_the_switches_of_the_template(
    vllm: Vllm, http: aiohttp.ClientSession, path: str, name: str, heard: bool
) -> None:
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two", name: THOUGHTS},
        {"role": "user", "content": "three"},
    ]
    lengths = {}
    for keep in (True, False):
        asked = {"model": NAME, "messages": messages, "chat_template_kwargs": {"preserve_thinking": keep}}
        said = await post(http, vllm.url + path, asked)
        lengths[keep] = len(said.get("tokens") or said["token_ids"])
    assert (lengths[True] > lengths[False]) is heard


async def test_the_switches_of_the_template_in_a_messages_body(vllm: Vllm, http: aiohttp.ClientSession) -> None:
    thinking = {"type": "thinking", "thinking": THOUGHTS, "signature": "none"}
    body: Json = {
        "model": NAME,
        "max_tokens": 1,
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": [thinking, {"type": "text", "text": "two"}]},
            {"role": "user", "content": "three"},
        ],
    }
    lengths = {}
    for keep in (True, False):
        asked = {**body, "chat_template_kwargs": {"preserve_thinking": keep}}
        lengths[keep] = len((await post(http, vllm.url + "/v1/messages/render", asked))["token_ids"])
    assert lengths[True] > lengths[False]


async def test_the_tokens_tell_before_what_the_server_counts_behind(vllm: Vllm, http: aiohttp.ClientSession) -> None:
    talk = Talk("foretold")
    first = chat_of(talk.body())
    old = (await post(http, vllm.url + "/v1/chat/completions", {**first, "return_token_ids": True}))["prompt_token_ids"]
    talk.answered("Not what the model has said.")
    second = chat_of(talk.body())
    asked = {"model": NAME, "messages": second["messages"], "tools": second["tools"]}
    new = (await post(http, vllm.url + "/tokenize", asked))["tokens"]
    usage = (await post(http, vllm.url + "/v1/chat/completions", second))["usage"]
    assert usage["prompt_tokens"] == len(new)
    block = vllm.options.block
    assert usage["prompt_tokens_details"]["cached_tokens"] == common(old, new) // block * block
