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
    """Of the head that both have for certain, about."""
    most: int
    """And that they may have."""


def twins(journal: Journal, key: GroupKey, lineage: Lineage, head: HeadState, model: str) -> tuple[Twin, ...]:
    """The conversations that have all of `head`, or its beginning, in common with the new `lineage` of the group `key`.

    Those of the same protocol and model alone: for others a server prints another prompt.
    """
    found: dict[str, Twin] = {}
    for one in _others(journal, key, lineage):
        for sent in one.requests:
            name = sent.branch or one.id
            if sent.options.model == model and name not in found:
                least, most = _shared(one, sent, head)
                if most:
                    found[name] = Twin(name, sent, least, most)
    return tuple(found.values())


def _others(journal: Journal, key: GroupKey, lineage: Lineage) -> Iterator[Lineage]:
    for group in journal.groups():
        if group.key.front == key.front:
            yield from (one for one in dict.fromkeys(group.lineages.values()) if one is not lineage)


def _shared(lineage: Lineage, sent: Sent, head: HeadState) -> tuple[int, int]:
    """Tokens of the head of `sent` that `head` begins with, about: at the least, and at the most.

    By bytes, up to the first place behind the head of which the server has told the tokens.
    """
    if not sent.size or not sent.head.size or not sent.prompt_tokens:
        return 0, 0
    whole = sent.head.size
    sizes = (whole, whole) if sent.head.key == head.key else _common(sent.head, head)
    share = whole / sent.size
    ends = (*sent.points(lineage.points), (1.0, sent.prompt_tokens))
    place, tokens = next((place, tokens) for place, tokens in ends if place >= share)
    least, most = (round(tokens * share / place * size / whole) for size in sizes)
    return least, most


def _common(one: HeadState, other: HeadState) -> tuple[int, int]:
    """Characters that two heads begin with, about: the fewest and the most of it in the two orders in which a template
    may print tools and system prompt."""
    said = ["".join(block.text for block in state.head.system) for state in (one, other)]
    system = common_prefix(*said)
    rows = [[(tool.name, tool.description, tool.schema) for tool in state.shown] for state in (one, other)]
    same = common_prefix(*rows)
    tools = sum(len(schema) + len(description) for _, description, schema in rows[0][:same])
    system_first = system + (tools if said[0] == said[1] else 0)
    tools_first = tools + (system if rows[0] == rows[1] else 0)
    return min(system_first, tools_first), max(system_first, tools_first)
