"""Branches of one conversation that go on side by side.

A client that names no session and forks a conversation sends two that begin with the same turns: one lineage. Its
first request after the fork cannot be told from a rewind, after which nobody comes back to what was given up. But when
the branch that seemed to be given up goes on from its end, with words of its own, both are alive: it is a conversation
by itself from then on, with a name and a seat of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from keepwarm.core import digest
from keepwarm.session.journal import Lineage
from keepwarm.session.lineage import Sent, Step, Trail


class Branch(msgspec.Struct, frozen=True):
    """The branch that a request belongs to."""

    name: str
    """The lineage's id where that is its first branch."""
    requests: Sequence[Sent]
    """Its latest ones, the last first; none when nothing of the lineage is known."""
    parted: str = ""
    """The name of the branch that it was taken for until now; "" when it is that one still, or has its name."""


def branch_of(lineage: Lineage, keys: Sequence[bytes], trail: Trail) -> Branch:
    """The branch of a request with these turns, `keys` being their chain digests."""
    best, shared = lineage.predecessor(keys)
    if best is None or lineage.origin is not None:  # a fork under another session's id is one lineage as it comes
        return Branch(lineage.id, lineage.requests)
    name = best.branch or lineage.id
    mine = [sent for sent in lineage.requests if sent.branch == best.branch]
    whole = 0 < shared == len(best.keys) < len(keys)
    if mine[0] is best or not whole or _repeats(trail, shared, mine[0]):
        return Branch(name, mine)
    return Branch(digest.chain(name.encode(), best.keys[-1]).hex(), (best,), name)


def _repeats(trail: Trail, shared: int, other: Sent) -> bool:
    """Whether behind its first turns a request says mostly what another one says, if in other ways: then it is that
    one, with an early turn edited back and forth."""
    behind = _said(trail.steps[trail.at(shared) + 1 :])
    known = frozenset(_said(other.trail.steps))
    return 2 * sum(one in known for one in behind) >= len(behind)


def _said(steps: Sequence[Step]) -> list[tuple[str, bytes]]:
    """What is said in turns, loosely."""
    marks = (mark for step in steps for mark in step.turn.marks)
    return [(mark.kind, mark.loose) for mark in marks if mark.loose and mark.kind not in ("reminder", "thinking")]
