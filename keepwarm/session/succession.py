"""Which older conversation a new one hangs together with: it was forked from it, or it takes its place.

A fork under another session id (`--fork-session`) repeats turns that were sent before. After a compaction a new
conversation begins with the summary that was the last answer of the session. After /clear one begins with nothing of
the old, under another session id; the client says so in its first message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from keepwarm.session.affinity import Bond
from keepwarm.session.journal import Group, Journal, Lineage
from keepwarm.session.lineage import GroupKey, Sent

LINE: Final = 40
"""Characters of a line that is told apart from chance: shorter ones may stand anywhere."""
_CLEARED: Final = re.compile(rb"<command-name>/(?:clear|new|reset)</command-name>")
"""How Claude Code tells the model that a conversation begins after /clear (2.1.328; the aliases are its own)."""


class Older(msgspec.Struct, frozen=True):
    """What a new conversation hangs together with."""

    bond: Bond = ""
    after: tuple[str, ...] = ()
    """Ids of the lineages that it may be; more than one where that cannot be told."""
    sent: Sent | None = None
    """The request that the new one goes on from; None where it repeats no turn of it and edits none."""
    shared: int = 0
    """Leading turns that both have."""


NOBODY: Final = Older()


def older(journal: Journal, key: GroupKey, lineage: Lineage, keys: Sequence[bytes], opening: bytes) -> Older:
    """What `lineage`, which is new, hangs together with.

    key      its group
    keys     the chain digests of its turns
    opening  the upstream text of its first turn
    """
    groups = [group for group in journal.groups() if group.key.agent == key.agent]
    return (
        _fork(groups, key, lineage, keys)
        or _compacted(groups, key, lineage, opening)
        or _cleared(groups, key, lineage, opening)
    )


def _fork(groups: Sequence[Group], key: GroupKey, lineage: Lineage, keys: Sequence[bytes]) -> Older | None:
    """One of the same shape that shares at least a turn and its answer."""
    best: Older | None = None
    for group in groups:
        if group.key.shape != key.shape or (found := group.find(keys)) is None or found is lineage:
            continue
        sent, shared = found.predecessor(keys)
        if sent is not None and shared >= 2 and (best is None or shared >= best.shared):
            best = Older("fork", (found.id,), sent, shared)
    return best


def _compacted(groups: Sequence[Group], key: GroupKey, lineage: Lineage, opening: bytes) -> Older | None:
    """The conversation of this group that was used last, when the session's last answers hold what this one begins
    with: the summary may have been asked for with another prompt, so in another group."""
    if not key.session:
        return None
    mine = [group for group in groups if group.key.session == key.session]
    before = [one for group in mine if group.key == key for one in group.lineages.values() if one is not lineage]
    answers = [one.requests[0].answer for group in mine for one in group.lineages.values() if one.requests]
    if not before or not before[-1].requests:
        return None
    if any(answer is not None and _quoted(answer.text, opening) for answer in answers):
        return Older("successor", (before[-1].id,), before[-1].requests[0])
    return None


def _cleared(groups: Sequence[Group], key: GroupKey, lineage: Lineage, opening: bytes) -> Older:
    if not _CLEARED.search(opening):
        return NOBODY
    alike = [group for group in groups if group.key.shape == key.shape]
    names = tuple(one.id for group in alike for one in group.lineages.values() if one is not lineage)
    return Older("successor", names) if names else NOBODY


def _quoted(answer: str, opening: bytes) -> bool:
    """Whether a line of an answer stands in an upstream text, which is JSON."""
    lines = (line.strip() for line in answer.splitlines())
    return any(msgspec.json.encode(line)[1:-1] in opening for line in lines if len(line) >= LINE)
