"""Which older conversation a new one hangs together with: it was forked from it, or it takes its place.

A fork under another session id (`--fork-session`) repeats turns that were sent before: `Journal.lineage` knows them.
After a compaction a new conversation begins with the summary that was the last answer of the session. After /clear one
begins with nothing of the old, under another session id; the client says so in its first message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from keepwarm.session.journal import Group, Journal, Lineage
from keepwarm.session.lineage import GroupKey, Sent, Trail
from keepwarm.session.seat_table import Bond

LINE: Final = 40
"""Characters of a line that is told apart from chance: shorter ones may stand anywhere."""
_CLEARED: Final = re.compile(rb"<command-name>/(?:clear|new|reset)</command-name>")
"""How Claude Code tells the model that a conversation begins after /clear (2.1.328; the aliases are its own)."""

_TAG: Final = re.compile(r"</?\w+>")


class Older(msgspec.Struct, frozen=True):
    """What a new conversation hangs together with."""

    bond: Bond = ""
    lineages: tuple[Lineage, ...] = ()
    """Which it may be; more than one where that cannot be told."""
    sent: Sent | None = None
    """The request whose conversation ends with this one; None where the client edits nothing that was sent."""

    @property
    def after(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(lineage.name for lineage in self.lineages)


NOBODY: Final = Older()


def older(journal: Journal, key: GroupKey, lineage: Lineage, trail: Trail) -> Older:
    """What `lineage`, of the group `key`, hangs together with; `trail` are the turns of its first request."""
    if lineage.count:
        return NOBODY
    if lineage.origin is not None:
        return Older("fork", (lineage.origin,))
    groups = [group for group in journal.groups() if group.key.agent == key.agent]
    words = next((step.turn.chunk or step.turn.raw for step in trail.steps if step.turn.key), b"")
    return _compacted(groups, key, lineage, words) or _cleared(groups, key, words)


def _compacted(groups: Sequence[Group], key: GroupKey, lineage: Lineage, words: bytes) -> Older | None:
    """The conversation of this group that was used last, when one of the session's last answers is what this one
    begins with: the summary may have been asked for with another prompt, so in another group."""
    mine = [group for group in groups if group.key.session == key.session]
    answered = [(group.key, one) for group in mine for one in group.lineages.values() if one.requests]
    before = [one for its, one in answered if its == key and one is not lineage]
    if not before:
        return None
    # Where no session is named it may be anybody's: then it must begin with all of the answer.
    quoted = any if key.session else all
    for _, one in answered:
        answer = one.requests[0].answer
        lines = [] if answer is None else _lines(answer.text)
        if lines and quoted(line in words for line in lines):
            old = before[-1] if key.session or one not in before else one
            return Older("successor", (old,), old.requests[0])
    return None


def _cleared(groups: Sequence[Group], key: GroupKey, words: bytes) -> Older:
    if not _CLEARED.search(words):
        return NOBODY
    alike = [group for group in groups if group.key.shape == key.shape]
    others = dict.fromkeys(one for group in alike for one in group.lineages.values() if one.requests)
    return Older("successor", tuple(others)) if others else NOBODY


def _lines(answer: str) -> list[bytes]:
    """The lines of an answer that are told apart from chance, as they stand in an upstream text, which is JSON; clients
    take its tags away."""
    lines = (line.strip() for line in _TAG.sub("\n", answer).splitlines())
    return [msgspec.json.encode(line)[1:-1] for line in lines if len(line) >= LINE]
