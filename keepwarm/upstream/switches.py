"""Switches of chat templates (Qwen, GLM) that otherwise drop earlier reasoning at a new user turn.

They stand in `chat_template_kwargs`, which llama.cpp reads of a chat body and vLLM of a Messages body too (seen on
xllamacpp 2026.10 and vLLM 0.32). A template that does not know a switch does not see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keepwarm.codec.splice import Span, members, with_member
from keepwarm.core.prompt import Edit

MEMBER: Final = "chat_template_kwargs"
SWITCHES: Final[Mapping[str, bytes]] = {"preserve_thinking": b"true", "clear_thinking": b"false"}
"""What keeps the reasoning: values as JSON texts."""


def switched(body: bytes, spans: Mapping[str, Span], ours: Mapping[str, bytes]) -> dict[str, bytes]:
    """The member that holds the switches: the client's own with what it does not say; none where it says it all.

    spans  the `members` of `body`
    ours   values as JSON texts, by name
    """
    span = spans.get(MEMBER)
    text = b"{}" if span is None else body[span.start : span.end]
    said = b"{}" if text == b"null" else text
    if not said.startswith(b"{"):  # the server says what becomes of it
        return {}
    now = said
    for name, value in ours.items():
        now = now if name in members(now) else with_member(now, name, value)
    return {} if now == said else {MEMBER: now}


def edits(body: bytes) -> tuple[Edit, ...]:
    """What is to be listed where a template is told to keep the reasoning."""
    spans = members(body)
    now = switched(body, spans, SWITCHES)
    if not now:
        return ()
    span = spans.get(MEMBER)
    said = "" if span is None else body[span.start : span.end].decode()
    return (Edit("HIS002", f"/{MEMBER}", said, now[MEMBER].decode(), "the chat template keeps earlier reasoning"),)
