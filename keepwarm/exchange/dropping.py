"""Reasoning that the server's chat template drops: Qwen's, GLM's and others print it until the user says something new.

Where such a template is not told to keep it (`upstream.switches`), a prompt parts from the one before it at the first
reasoning behind the user's last words, though the client has changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from keepwarm.core.diff import Difference
from keepwarm.session.lineage import Sent, Step, Trail

CODE = "HIS002"
"""The cause, whoever drops it."""


def find_dropped(before: Sent, trail: Trail, leading: int = 0) -> Difference | None:
    """Where such a template parts a request from the one before it; None where it does not.

    trail    the turns of the request
    leading  messages of the client's that stand in front of them and are its system prompt
    """
    steps, old = trail.steps, len(before.trail.steps)
    if not any(_asks(step) for step in steps[old:]):
        return None
    asked = max((place for place, step in enumerate(steps[:old]) if _asks(step)), default=-1)
    for place in range(asked + 1, len(steps)):
        if _asks(steps[place]):
            return None
        if any(mark.kind == "thinking" for mark in steps[place].turn.marks):
            return _place(steps, place, before, leading)
    return None


def _place(steps: Sequence[Step], place: int, before: Sent, leading: int) -> Difference:
    index = leading + (steps[place - 1].end if place else 0)
    share = 1.0
    if place < len(before.trail.steps) and before.size:
        share = min(1.0, (before.head.size + (steps[place - 1].size if place else 0)) / before.size)
    what = f"the reasoning in messages[{index}]"
    return Difference("template", f"/messages/{index}", what, "", "", 0, "changed", share, share)


def _asks(step: Step) -> bool:
    """Whether the user says something in a turn; results of tools are no words of the user's."""
    if step.role == "assistant":
        return False
    results = {(mark.message, mark.place) for mark in step.turn.marks if mark.kind == "result"}
    return any(
        mark.kind in ("text", "other", "reminder") and (mark.message, mark.place) not in results
        for mark in step.turn.marks
    )
