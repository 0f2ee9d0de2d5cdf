"""Verdicts made exact by vLLM's own ids, on every path to it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from keepwarm.ledger.records import Record
from keepwarm.testing.plain_chat import to_chat
from keepwarm.testing.vllm import Vllm
from keepwarm.upstream import token_ids
from tests.shell.conftest import OpenGateway, Records
from tests.vllm.talk import Json, Talk, common, counts, post, text_of

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
PATHS = {
    "messages, as they are": ("", "/v1/messages"),
    "messages, translated": ("chat", "/v1/messages"),
    "chat, as it is": ("chat", "/v1/chat/completions"),
}


def said(answer: Json) -> str:
    return str(answer["choices"][0]["message"]["content"]) if "choices" in answer else text_of(answer)


def shown(body: Json, path: str) -> Json:
    if path == "/v1/messages":
        return body
    chat: Json = json.loads(to_chat(json.dumps(body).encode()))
    return {name: value for name, value in chat.items() if name not in ("stream", "stream_options")}


@pytest.mark.parametrize(
    ("path", "tokenize"),
    [
        ("messages, as they are", False),
        ("messages, translated", False),
        ("messages, translated", True),
        ("chat, as it is", False),
        ("chat, as it is", True),
    ],
)
async def test_an_edit_is_told_to_the_token(
    path: str, tokenize: bool, vllm: Vllm, open_gateway: OpenGateway, http: aiohttp.ClientSession, monkeypatch: Any
) -> None:
    kind, served = PATHS[path]
    if tokenize:  # as where vLLM runs without --enable-scale-out
        monkeypatch.setitem(token_ids.WAYS, ("chat", "chat"), (token_ids.Tokenize(),))
    gateway = await open_gateway(vllm.url, upstream__kind=kind)
    records, better = Records(gateway), list[Record]()
    gateway.amended.append(better.append)
    talk = Talk(f"exact, {path} {tokenize}", turn=100)
    bodies = []
    for turn in range(4):
        bodies.append(shown(talk.body(), served))
        talk.answered(said(await post(http, gateway.url + served, bodies[-1])))
        await records.until(turn + 1)
    talk.messages[2] = {"role": "user", "content": [{"type": "text", "text": "Turn 1: alpha beta. Cleared."}]}
    bodies.append(shown(talk.body(), served))
    await gateway.inquiries.settled()
    before = counts(vllm)
    await post(http, gateway.url + served, bodies[-1])
    await records.until(5)
    spent = counts(vllm)
    await gateway.inquiries.settled()
    assert counts(vllm) == spent != before, "to be asked costs the model nothing"
    old, new = [(await post(http, f"{vllm.url}{served}/render", body))["token_ids"] for body in bodies[-2:]]
    verdict = better[-1].verdict
    assert better[-1].id == records[-1].id
    assert verdict is not None
    assert (verdict.grade, verdict.blame, verdict.causes) == ("exact", "client", ("HIS005",))
    if kind != "chat" or served != "/v1/messages":  # the bodies are what vLLM got
        assert verdict.shared == common(old, new)
    assert verdict.shared is not None
    assert verdict.actual == verdict.shared // vllm.options.block * vllm.options.block
