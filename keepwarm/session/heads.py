"""Which conversations begin with the same head as a new one, and how many tokens of it both have.

Two sessions in one folder, or two sub-agents of one kind, say other words behind the same system prompt and tools.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from keepwarm.core.diff import common_prefix
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent


class Twin(msgspec.Struct, frozen=True):
    """A conversation with the same head."""

    name: str
    """Of the lineage, or of the branch of one."""
    sent: Sent
    """Its latest request."""
    tokens: int
    """Of the head, as far as both have it, about."""


def twins(journal: Journal, key: GroupKey, lineage: Lineage, head: HeadState, model: str) -> tuple[Twin, ...]:
    """The conversations that have all of `head`, or its beginning, in common with the new `lineage` of the group `key`.

    Those of the same protocol and model alone: for others a server prints another prompt.
    """
    found: dict[str, Twin] = {}
    for one in _others(journal, key, lineage):
        for sent in one.requests:
            name = sent.branch or one.id
            if sent.options.model == model and name not in found and (tokens := _shared(one, sent, head)):
                found[name] = Twin(name, sent, tokens)
    return tuple(found.values())


def _others(journal: Journal, key: GroupKey, lineage: Lineage) -> Iterator[Lineage]:
    for group in journal.groups():
        if group.key.front == key.front:
            yield from (one for one in dict.fromkeys(group.lineages.values()) if one is not lineage)


def _shared(lineage: Lineage, sent: Sent, head: HeadState) -> int:
    """Tokens of the head of `sent` that `head` begins with, about.

    By bytes, up to the first place behind the head of which the server has told the tokens. Whether tools or system
    prompt come first is the template's to say: a head of which a part is another counts as if that part came last.
    """
    if not sent.size or not sent.head.size or not sent.prompt_tokens:
        return 0
    size = sent.head.size if sent.head.key == head.key else _common(sent.head, head)
    share = sent.head.size / sent.size
    ends = (*sent.points(lineage.points), (1.0, sent.prompt_tokens))
    place, tokens = next((place, tokens) for place, tokens in ends if place >= share)
    return round(tokens * share / place * size / sent.head.size)


def _common(one: HeadState, other: HeadState) -> int:
    """Characters that two heads begin with, about."""
    system = common_prefix(*("".join(block.text for block in head.head.system) for head in (one, other)))
    offered = [[(tool.name, tool.description, tool.schema) for tool in head.shown] for head in (one, other)]
    if offered[0] != offered[1]:
        return system
    return system + sum(len(schema) + len(description) for _, description, schema in offered[0])
