"""From what the client sent to what goes upstream: what was sent stands, what is new goes through the rules.

Here the parts are put together, and the head is made; `turns.py` makes the turns.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import EditNote, Head, SystemBlock, Tool
from keepwarm.exchange.compare import difference
from keepwarm.exchange.turns import TurnMaker, note
from keepwarm.rules.api import FirstSeen, Fix
from keepwarm.rules.engine import RuleBook
from keepwarm.session import succession
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Trail, shape_of
from keepwarm.session.succession import NOBODY, Older
from keepwarm.upstream.api import Dialect, Draft
from keepwarm.wire.api import Front, Parsed


class Stable(msgspec.Struct, frozen=True):
    """A request ready to go upstream, and what is known of it."""

    group: GroupKey
    lineage: Lineage
    head: HeadState
    keys: tuple[bytes, ...]
    """Chain digests of its turns."""
    trail: Trail
    """Its turns as they go upstream, in order."""
    standing: tuple[Standing, ...]
    """Those of them that stand from now on and did not before."""
    draft: Draft
    notes: tuple[EditNote, ...]
    metadata: tuple[tuple[str, str], ...]
    before: Sent | None
    """The request that this one goes on from."""
    shared: int
    """Leading turns that both have."""
    older: Older
    """What it hangs together with when it is new."""
    difference: Difference
    size: int
    """Bytes of the head and of all turns."""
    kept: int
    """Bytes of the head and of the shared turns."""


class Stabiliser:
    """One request being made stable; `run` does it."""

    def __init__(self, journal: Journal, rules: RuleBook, dialect: Dialect, front: Front) -> None:
        self._journal = journal
        self._rules = rules
        self._dialect = dialect
        self._front = front

    def run(self, parsed: Parsed, session: str, agent: str) -> Stable:
        """The stable form of a request of `agent` in `session`. Raises BadJson for a part that cannot be read."""
        system = self._rules.system(parsed.system)
        shape = shape_of(Head(system.value).text(), bool(parsed.tools_raw))
        # What stands for one kind of server says nothing to another that may answer at the same address later.
        key = GroupKey(session, agent, digest.chain(shape, self._dialect.name.encode()))
        group = self._journal.group(key)
        turns = TurnMaker(self._journal, self._rules, self._dialect, self._front, group, parsed.messages_raw).run()
        lineage, steps = turns.lineage, turns.trail.steps
        before, shared = lineage.predecessor(turns.keys)
        head = self._head(parsed, system, lineage.head, steps[-1].loads)
        if before is None and len(turns.keys) > 1:
            before, shared = self._journal.elsewhere(key, turns.keys, head.wires)
        older = NOBODY
        if before is None and turns.keys:
            opening = next(step.turn.chunk for step in steps if step.turn.key)
            older = succession.older(self._journal, key, lineage, turns.keys, opening)
            before, shared = older.sent, older.shared
        chunks = tuple([step.turn.chunk for step in steps])
        ranges = tuple(pairwise([0, *[step.end for step in steps]]))
        head_size = _head_size(head)
        return Stable(
            group=key,
            lineage=lineage,
            head=head,
            keys=turns.keys,
            trail=turns.trail,
            standing=turns.fresh,
            draft=Draft(
                parsed.body,
                parsed.options,
                head.system,
                head.tools,
                chunks,
                ranges,
                lengths=parsed.messages_raw.lengths(),
            ),
            notes=(*map(note, system.edits), *head.notes, *turns.notes),
            metadata=system.metadata,
            before=before,
            shared=shared,
            older=older,
            difference=difference(before, head, turns.keys, shared, turns.trail, lineage),
            size=head_size + steps[-1].size,
            kept=head_size + turns.trail.size(shared),
        )

    def _head(
        self, parsed: Parsed, system: Fix[tuple[SystemBlock, ...]], old: HeadState | None, loaded: tuple[str, ...]
    ) -> HeadState:
        """System and tools as they go upstream; the tools' text is made again only when the client's is another."""
        wires = (*map(digest.wire, parsed.tools_raw), digest.of_text(*loaded))
        if old is not None and old.wires == wires:
            same = not self._dialect.same_protocol and old.head.system == system.value
            text = old.system if same else self._dialect.system(system.value, parsed.system)
            key = old.key if same else _head_key(system.value, old.shown)
            return HeadState(key, Head(system.value, old.head.tools), text, old.tools, old.shown, wires, old.notes)
        original = tuple(self._front.tool(raw, index) for index, raw in enumerate(parsed.tools_raw))
        seen = () if old is None else old.head.tools
        fix = self._rules.tools(original, FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in seen)))
        shown = fix.value
        if not self._dialect.same_protocol:
            shown = tuple(tool for tool in shown if not tool.deferred or tool.name in loaded)
        return HeadState(
            _head_key(system.value, shown),
            Head(system.value, fix.value),
            self._dialect.system(system.value, parsed.system),
            self._dialect.tools(shown, original),
            shown,
            wires,
            tuple(map(note, fix.edits)),
        )


def _head_key(system: tuple[SystemBlock, ...], tools: tuple[Tool, ...]) -> bytes:
    return digest.of_all((*map(digest.of_system, system), b"/", *map(digest.of_tool, tools)))


def _head_size(head: HeadState) -> int:
    tools = sum(len(tool.schema) + len(tool.description) for tool in head.shown)
    return tools + sum(len(block.text) for block in head.head.system)
