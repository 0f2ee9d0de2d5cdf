"""A scenario that was played: its requests, and what came of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from keepwarm.ledger.records import Record
from keepwarm.testing.answers import Answer
from keepwarm.testing.scenarios.scenario import Request, Scenario
from keepwarm.testing.scripted import Exchange

Json = dict[str, Any]


class Setting(msgspec.Struct, frozen=True):
    """How a scenario is played."""

    mends: bool = True
    """Whether the rules are on; else the gateway observes, and bytes go through as they came."""
    exact: bool = False
    """Whether the server is asked for its token ids beside, and the answers are waited for."""
    config: tuple[tuple[str, object], ...] = ()
    """More settings, as `config.override` takes them: ("rules__on", ("ORD002",))."""
    spared: tuple[str, ...] = ()
    """Codes of causes that the server mends itself: observed, they cost nothing, and must not be named."""


class Step(msgspec.Struct, frozen=True):
    """One request, and what came of it."""

    request: Request
    record: Record
    exchange: Exchange
    ideal: int
    """Tokens that no gateway could have spared it."""


class Played(msgspec.Struct, frozen=True):
    """A scenario that was played."""

    scenario: Scenario
    setting: Setting
    steps: tuple[Step, ...]
    faults: tuple[str, ...]
    """What went wrong with the answers themselves."""
    engine_tokens: int
    """Prompt tokens that the engines processed by their own count, whoever asked; not those that stand for
    generation."""
    block: int = 1
    """Tokens that the engine caches together."""

    @property
    def ideal(self) -> int:
        """Each token once, from where nothing could be kept."""
        return sum(step.ideal for step in self.steps)


def words_of(blocks: Sequence[Json]) -> str:
    """The text of an answer as the client has it."""
    return "".join(block["text"] for block in blocks if block["type"] == "text")


def unlike(answer: Answer, blocks: Sequence[Json]) -> str:
    """What of an answer did not reach the client as it was generated; "" when all did."""
    thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    pairs: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("words", lambda: words_of(blocks) == answer.text),
        ("reasoning", lambda: thinking == answer.thinking),
        ("calls", lambda: calls == [(name, json.loads(text)) for name, text in answer.tool_calls]),
    )
    return next((what for what, same in pairs if not same()), "")
