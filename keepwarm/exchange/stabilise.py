"""From what the client sent to what goes upstream: what was sent stands, what is new goes through the rules.

Here the parts are put together, and the head is made; `turns.py` makes the turns.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import EditNote, Head, Notice, Options, SystemBlock, Tool
from keepwarm.core.secret import Address
from keepwarm.exchange.commands import Fetch
from keepwarm.exchange.compare import Now, differences, head_differences, head_size
from keepwarm.exchange.turns import TurnMaker, note
from keepwarm.rules.api import FirstSeen, Fix, HeadFix
from keepwarm.rules.engine import RuleBook
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Trail, shape_of
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
    branch: Sent | None
    """An older request of which this one repeats all, where `before` is another branch of the conversation."""
    shared: int
    """Leading turns that both have."""
    differences: tuple[Difference, ...]
    """All places where the two part, in the order in which models read."""
    options: Options
    """What is asked for, as it goes upstream."""
    size: int
    """Bytes of the head and of all turns."""
    sibling: bool
    """Whether `before` belongs to another conversation, of which this one could share the head."""
    inline: str
    """JSON pointer to the newest system message that goes upstream among the others; "" for none."""
    kept: int
    """Bytes of the head and of the shared turns."""


class Opening(msgspec.Struct, frozen=True):
    """The opening of a request: as much of it as tells which conversation it belongs to."""

    parsed: Parsed
    group: GroupKey
    system: Fix[tuple[SystemBlock, ...]]
    """The system prompt after the rules that look at it alone."""
    maker: TurnMaker

    def unknown(self) -> Fetch | None:
        """How to look for a conversation that the journal does not know; None when it knows it."""
        secret = self.maker.secret()
        return None if secret is None else Fetch(Address(secret, self.group.packed()), others=self.maker.goes_on)


class Stabiliser:
    """One request being made stable; `run` does it."""

    def __init__(self, journal: Journal, rules: RuleBook, dialect: Dialect, front: Front) -> None:
        self._journal = journal
        self._rules = rules
        self._dialect = dialect
        self._front = front

    def begin(self, parsed: Parsed, session: str, agent: str) -> Opening:
        """The opening of a request of `agent` in `session`. Raises BadJson for a part that cannot be read."""
        system = self._rules.system(parsed.system)
        shape = shape_of(Head(system.value).text(), bool(parsed.tools_raw))
        # What stands for one kind of server says nothing to another that may answer at the same address later, and
        # what stands for clients of one protocol nothing to those of another.
        spoken = f"{self._front.name}>{self._dialect.protocol}@{self._dialect.name}"
        key = GroupKey(session, agent, digest.chain(shape, spoken.encode()), self._front.name)
        group = self._journal.group(key)
        maker = TurnMaker(
            self._journal, self._rules, self._dialect, self._front, group, parsed.messages_raw, parsed.leading
        )
        return Opening(parsed, key, system, maker)

    def run(self, parsed: Parsed, session: str, agent: str) -> Stable:
        """The stable form of a request of `agent` in `session`. Raises BadJson for a part that cannot be read."""
        return self.go_on(self.begin(parsed, session, agent))

    def go_on(self, opening: Opening) -> Stable:
        """The stable form of a request that has been begun. Raises BadJson for a part that cannot be read."""
        parsed, key, system, maker = opening.parsed, opening.group, opening.system, opening.maker
        lineage = maker.lineage
        heading = self._heading(parsed, system.value, lineage.head, can_tell=maker.can_tell())
        turns = maker.run(heading.notices)
        steps = turns.trail.steps
        head = self._head(parsed, heading, lineage.head, steps[-1].loads)
        last = lineage.requests[0].options if lineage.requests else None
        options = self._rules.options(parsed.options, last)
        now = Now(options.value, head, turns.trail, self._front, parsed.leading)
        before, shared, parted, branch = self._predecessor(key, lineage, turns.keys, now)
        sibling = before is None and (before := self._journal.sibling(key)) is not None
        if sibling and before is not None:
            parted = head_differences(before, now, max(1, head_size(before.head)))
        size = head_size(head)
        return Stable(
            group=key,
            lineage=lineage,
            head=head,
            keys=turns.keys,
            trail=turns.trail,
            standing=turns.fresh,
            draft=Draft(
                parsed.body,
                options.value,
                head.system,
                head.tools,
                tuple([step.turn.chunk for step in steps]),
                tuple(pairwise([0, *[step.end for step in steps]])),
                lengths=parsed.messages_raw.lengths(),
                leading=parsed.leading,
            ),
            notes=(*map(note, system.edits), *head.notes, *map(note, options.edits), *turns.notes),
            metadata=system.metadata,
            before=before,
            branch=branch,
            shared=shared,
            differences=parted,
            options=options.value,
            size=size + steps[-1].size,
            sibling=sibling,
            inline=turns.inline,
            kept=size + turns.trail.size(shared),
        )

    def _predecessor(
        self, key: GroupKey, lineage: Lineage, keys: tuple[bytes, ...], now: Now
    ) -> tuple[Sent | None, int, tuple[Difference, ...], Sent | None]:
        """(the latest request of the conversation, the leading turns that both have, where the two part, an older
        request that this one repeats as far as it goes: where a conversation has branches, the server may hold it)."""
        best, shared = lineage.predecessor(keys)
        if best is None and len(keys) > 1:
            best, shared = self._journal.elsewhere(key, keys, now.head.wires)
        if best is None:
            return None, 0, (), None
        latest = lineage.requests[0] if lineage.requests else best
        parted = differences(latest, now)
        branch = best if latest is not best and shared == len(best.keys) and parted else None
        return latest, shared if latest is best else latest.shared(keys), parted, branch

    def _heading(
        self, parsed: Parsed, system: tuple[SystemBlock, ...], old: HeadState | None, *, can_tell: bool
    ) -> _Heading:
        """System and tools after the rules. Read and fixed anew only when the client's are other than last time."""
        asked = digest.of_text(*[block.text for block in system])
        wires = tuple(map(digest.wire, parsed.tools_raw))
        if old is not None and old.asked == asked and old.wires[:-1] == wires:
            return _Heading(old.head, old.notes, old.notices, wires, asked)
        tools = tuple(self._front.tool(raw, index) for index, raw in enumerate(parsed.tools_raw))
        fix = HeadFix(Head(system, tools))
        if can_tell:
            fix = self._rules.head(fix.head, old.head if old is not None else None)
        seen = () if old is None else old.head.tools
        known = FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in seen))
        ordered = self._rules.tools(fix.head.tools, known)
        notes = tuple(map(note, (*fix.edits, *ordered.edits)))
        return _Heading(Head(fix.head.system, ordered.value), notes, fix.notices, wires, asked, tools)

    def _head(self, parsed: Parsed, heading: _Heading, old: HeadState | None, loaded: tuple[str, ...]) -> HeadState:
        """The head's upstream text; made again only when it is another."""
        head, wires = heading.head, (*heading.wires, digest.of_text(*loaded))
        same = old is not None and heading.tools is None and old.wires == wires
        if old is not None and same and not self._dialect.same_protocol:
            return old
        system = self._dialect.system(head.system, parsed.system)
        if old is not None and same:
            return structs.replace(old, system=system)
        original = heading.tools
        if original is None:
            original = tuple(self._front.tool(raw, index) for index, raw in enumerate(parsed.tools_raw))
        shown = head.tools
        if not self._dialect.same_protocol:
            shown = tuple(tool for tool in shown if not tool.deferred or tool.name in loaded)
        return HeadState(
            _head_key(head.system, shown),
            head,
            system,
            self._dialect.tools(shown, original),
            shown,
            wires,
            heading.notes,
            heading.notices,
            heading.asked,
        )


class _Heading(msgspec.Struct, frozen=True):
    """System and tools after the rules, before they are written."""

    head: Head
    notes: tuple[EditNote, ...]
    notices: tuple[Notice, ...]
    wires: tuple[bytes, ...]
    """Digests of the client's tool texts."""
    asked: bytes
    tools: tuple[Tool, ...] | None = None
    """The client's tools; None where they are as they were and were not read."""


def _head_key(system: tuple[SystemBlock, ...], tools: tuple[Tool, ...]) -> bytes:
    # A template prints the keys of a schema in the order in which they come.
    shown = [digest.of_text(tool.name, tool.description) + tool.schema for tool in tools]
    return digest.of_all((*map(digest.of_system, system), b"/", *shown))
