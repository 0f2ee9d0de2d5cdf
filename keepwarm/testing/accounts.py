"""What sessions cost the engine, against the least they could have cost: each token of a conversation once.

The ideal knows nothing of any gateway. It is read from the scripted server's exchanges: the first request of a
conversation pays for its whole prompt, each later one for what stands behind the tokens that the slot held when the
answer before was complete.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from keepwarm.testing.answers import content_text
from keepwarm.testing.scripted_run import Exchange

_MARKER: Final = re.compile(r"\bSCRIPT ([A-Za-z0-9_.-]*[A-Za-z0-9_])")


class Step(msgspec.Struct, frozen=True):
    """One request of a conversation."""

    exchange: Exchange
    """What it was."""
    ideal: int
    """Tokens that no cache could have spared it."""

    @property
    def prefilled(self) -> int:
        """Tokens that the engine processed for it."""
        return self.exchange.prefilled_tokens


class Conversation(msgspec.Struct, frozen=True):
    """The requests that share their opening, in their order."""

    name: str
    """See `conversation_name`."""
    steps: tuple[Step, ...]
    """At least one."""

    @property
    def ideal(self) -> int:
        """Tokens of the conversation, each once; those that the model generated are not prefilled at all."""
        return sum(step.ideal for step in self.steps)

    @property
    def prefilled(self) -> int:
        """Tokens that the engine processed."""
        return sum(step.prefilled for step in self.steps)


class Account(msgspec.Struct, frozen=True):
    """All conversations of a server."""

    conversations: tuple[Conversation, ...]
    """In the order of their first answers."""

    @property
    def ideal(self) -> int:
        """Tokens of all conversations, each once."""
        return sum(conversation.ideal for conversation in self.conversations)

    @property
    def prefilled(self) -> int:
        """Tokens that the engine processed."""
        return sum(conversation.prefilled for conversation in self.conversations)

    @property
    def requests(self) -> int:
        """Requests that reached the engine."""
        return sum(len(conversation.steps) for conversation in self.conversations)

    @property
    def prompt_tokens(self) -> int:
        """What it would have cost without any cache."""
        return sum(step.exchange.prompt_tokens for one in self.conversations for step in one.steps)

    def by_name(self, name: str) -> Conversation:
        """The conversation of that name; KeyError when there is none."""
        return {conversation.name: conversation for conversation in self.conversations}[name]


def account(
    exchanges: Iterable[Exchange],
    kept: Mapping[int, int] | None = None,
    naming: Callable[[Iterable[Mapping[str, Any]]], list[str]] | None = None,
) -> Account:
    """The account of a server's exchanges.

    kept    for requests whose client rewrote its history, by the place in `exchanges`: the tokens in front of the
            rewritten place. Such a request cannot go on from what the slot held.
    naming  which conversation each request belongs to; None = conversation_names
    """
    steps: dict[str, list[Step]] = {}
    # One without tokens was refused before the engine saw it.
    seen = [(place, exchange) for place, exchange in enumerate(exchanges) if exchange.prompt_tokens]
    names = (naming or conversation_names)(exchange.request for _, exchange in seen)
    for name, (place, exchange) in zip(names, seen, strict=True):
        earlier = steps.setdefault(name, [])
        held = earlier[-1].exchange.held_tokens if earlier else 0
        if kept is not None and place in kept:
            held = kept[place]
        earlier.append(Step(exchange, max(1, exchange.prompt_tokens - held)))
    return Account(tuple(Conversation(name, tuple(row)) for name, row in steps.items()))


def conversation_names(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """The `conversation_name` of each request, with a number behind it where the same thing is asked anew.

    A side call that nothing has been answered in is a conversation of its own, also when two sessions put it in the
    same words; requests with tools are retried, and their conversations go on.
    """
    names: list[str] = []
    asked: Counter[str] = Counter()
    for body in bodies:
        name = conversation_name(body)
        if not any(message.get("role") == "assistant" for message in body.get("messages") or ()):
            asked[name] += 1
        again = not body.get("tools") and asked[name] > 1
        names.append(f"{name} ({asked[name]})" if again else name)
    return names


def conversation_name(body: Mapping[str, Any]) -> str:
    """Which conversation a request belongs to, the same for a chat completions body and for a Messages body.

    It is the script marker in the first user message, or else that message's words; a request without tools is no
    part of a conversation that has them, whatever it quotes.
    """
    messages: list[dict[str, Any]] = body.get("messages") or []
    nothing: dict[str, Any] = {}
    first = next((message for message in messages if message.get("role") == "user"), nothing)
    words = content_text(first.get("content"))
    found = _MARKER.search(words)
    name = found[1] if found else " ".join(words.split())
    return name if body.get("tools") else f"aside: {name}"
