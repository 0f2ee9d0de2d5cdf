"""A small conversation on a server that reports its cache, as exchanges: made up, nothing is drawn by chance."""

from __future__ import annotations

from typing import Any

import msgspec

from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from keepwarm.testing.messages_shapes import MessagesShape
from tests.logs.stage import KEY, Taped

NOON = 1_790_078_400.0
"""2026-09-22, 12:00 UTC."""
SECRET_WORDS = "the blue lantern"
TOOLS = [{"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object"}}]
_SYSTEM = "You keep the pump house. " * 40


def a_tape(turns: int = 8) -> list[Taped]:
    """The requests of one session, a minute apart; the billing line changes with each, and the server has the head of
    six tokens alone."""
    messages: list[Any] = []
    tape = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"Read gauge {turn} beside {SECRET_WORDS}. " * 20})
        header = f"x-anthropic-billing-header: cc_version=2.1.114.c36; cc_entrypoint=cli; cch={turn:05x};"
        system = [{"type": "text", "text": text} for text in (header, _SYSTEM)]
        body = {"model": "local", "stream": True, "max_tokens": 100, "system": system, "tools": TOOLS,
                "messages": messages}  # fmt: skip
        counts = Counts(6 if turn else 0, 1_000 + turn * 200, 8, 100.0 + turn)
        answer = Answer(f"Gauge {turn} stands at {turn * 3}.")
        tape.append(_taped(turn, msgspec.json.encode(body), answer, counts))
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer.text}]})
    return tape


def _taped(turn: int, body: bytes, answer: Answer, counts: Counts) -> Taped:
    shape = MessagesShape(message_id=f"msg_{turn}", model="local")
    data = shape.start(counts) + b"".join(shape.deltas(answer, ())) + shape.ending(answer, counts, with_usage=True)
    headers = {
        "user-agent": "claude-cli/2.1.114 (external, cli)",
        "x-claude-code-session-id": "3fa81c22-0000-4000-8000-000000000001",
        "x-api-key": KEY,
        "authorization": f"Bearer {KEY}",
        "cookie": KEY,
    }
    back = {"content-type": "text/event-stream", "set-cookie": KEY}
    url = f"http://127.0.0.1:8000/v1/messages?key={KEY}"
    return Taped(NOON + turn * 60, url, headers, body, 200, back, data, 310.0, 2_140.0)
