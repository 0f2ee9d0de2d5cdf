"""What an injection is: a name, the rule whose cause it is, and one or two pure functions."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from keepwarm.testing.scenarios.plan import Ask, Planner
from keepwarm.testing.scenarios.truth import Place, first_difference
from keepwarm.testing.scenarios.view import View

Shape: TypeAlias = Literal["messages", "chat"]
"""The protocol that the client speaks: Anthropic's Messages, or chat completions."""
Server: TypeAlias = Literal["plain", "hoisting", "models", "replicas"]
"""What stands behind the gateway. plain: one llama.cpp. hoisting: one that moves inline system messages to the head.
models: one for each model name. replicas: two, which get the requests in turn."""


class Moment(msgspec.Struct, frozen=True):
    """Which request is shown."""

    ask: Ask
    step: int
    """How many requests of its conversation came before it."""
    of: int
    """How many its conversation has in all."""
    seed: str
    """Of the scenario and the injection."""

    @property
    def middle(self) -> int:
        """The step at which things change that change once; there is an answer with calls in front of it."""
        return max(2, self.of // 2)

    @property
    def changed(self) -> bool:
        """Whether what changes once has changed."""
        return self.step >= self.middle

    def dice(self, salt: object = None) -> random.Random:
        """Dice of this request, or of everything that shares `salt`."""
        return random.Random(f"{self.seed} {self.ask.number if salt is None else salt}")


Show: TypeAlias = Callable[[View, Moment], View]
"""What the client shows instead."""
Course: TypeAlias = Callable[[Planner, int], None]
"""Plans a scenario of so many turns."""
Where: TypeAlias = Callable[[View, View], Place | None]
"""The place in the second view that parts it from the first, to which its answer has been added."""


class Injection(msgspec.Struct, frozen=True):
    """One way to part a prompt from the one before it (or, for a clean one, to seem to)."""

    name: str
    """Code and habit: "VOL001-each"."""
    row: str
    """The row of the scenario matrix that it belongs to."""
    code: str = ""
    """The rule that names it; "" where nothing must be found."""
    also: tuple[str, ...] = ()
    """Other rules that have something to mend in what it changes."""
    fixable: bool = True
    """Whether a gateway can send what was sent before."""
    show: Show | None = None
    """How it changes what the client shows."""
    where: Where = first_difference
    """How its place is found."""
    course: Course | None = None
    """The plan that it needs; None = straight on."""
    parts: bool = False
    """Whether its plan gives up a history: each request whose `before` is not its `after` has the cause."""
    across: bool = False
    """Whether it parts one session's head from another's instead of a request from the one before it."""
    server: Server = "plain"
    """What it takes for it to cost something."""
    slots: int = 2
    """Slots of each server."""
    observed: bool = True
    """Whether it means the same where the gateway only observes: a server that chooses its slots itself gives those of
    other conversations away."""
    shapes: tuple[Shape, ...] = ("messages", "chat")
    """The protocols in which it can be said."""
    thinking: bool = False
    """Whether it is about reasoning: then the model has some whatever the template."""
