"""What vLLM says of itself beside its answers (seen on vLLM 0.32). It is spoken to as `anthropic` or `chat`.

`GET /metrics` holds a gauge whose labels are the settings of the cache: vllm:cache_config_info{block_size="16",..}.
`POST /tokenize` of a chat tells what its template makes of one. A server with a Mistral tokenizer has no template and
refuses every request with `chat_template_kwargs`, so nobody is sent any who has not been seen to heed them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.upstream.api import Outgoing
from keepwarm.upstream.switches import MEMBER, SWITCHES

_OURS: Final = re.compile(rb"^vllm:", re.MULTILINE)
_THOUGHT: Final = "I count: one, two, three, four, five, six, seven, eight, nine, ten."
UNREAD: Final = "x-anthropic-billing-header"
"""What a system text begins with that vLLM takes out of it: the whole block of a Messages body, of a chat body the
line. With white space in front it stays."""
_BLOCK: Final = re.compile(rb'^vllm:cache_config_info\{[^}\n]*\bblock_size="(\d{1,6})"', re.MULTILINE)


def settings(headers: tuple[tuple[str, str], ...] = ()) -> Outgoing:
    """Ask for them."""
    return Outgoing("/metrics", b"", headers, "GET")


def is_vllm(metrics: bytes) -> bool:
    """Whether the answer is vLLM's."""
    return _OURS.search(metrics) is not None


def block(metrics: bytes) -> int:
    """Tokens that the server caches together, from the answer; 0 where it does not say, as another server."""
    found = _BLOCK.search(metrics)
    return int(found[1]) if found else 0


def thoughts(headers: tuple[tuple[str, str], ...] = ()) -> tuple[Outgoing, Outgoing]:
    """Ask what becomes of earlier reasoning: as the template has it, and with the switches that keep it."""
    # Only the chat endpoint gives the older name of it the newer one.
    thought = {"role": "assistant", "content": "Ten.", "reasoning": _THOUGHT, "reasoning_content": _THOUGHT}
    chat = [{"role": "user", "content": "Count."}, thought, {"role": "user", "content": "Again."}]
    switches = {name: msgspec.Raw(value) for name, value in SWITCHES.items()}
    sent = (("content-type", "application/json"), *headers)
    plain, told = ({"messages": chat, **more} for more in ({}, {MEMBER: switches}))
    return _tokenize(plain, sent), _tokenize(told, sent)


def drops_thinking(plain: tuple[int, bytes], told: tuple[int, bytes]) -> bool:
    """Whether the template drops the reasoning and keeps it when told, from both answers: (status, body) each.

    False where one of them does not tell.
    """
    without, within = (count(*answer) for answer in (plain, told))
    return 0 < without < within


def _tokenize(body: object, headers: tuple[tuple[str, str], ...]) -> Outgoing:
    return Outgoing("/tokenize", msgspec.json.encode(body), headers)


def count(status: int, body: bytes) -> int:
    """Tokens of a prompt, from an answer to a question here; 0 where it holds none."""
    try:
        return msgspec.json.decode(body, type=_Tokenized).count if status == 200 else 0
    except UNREADABLE:
        return 0


class _Tokenized(msgspec.Struct, frozen=True):
    count: int
