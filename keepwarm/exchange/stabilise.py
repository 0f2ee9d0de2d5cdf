"""From what the client sent to what goes upstream: what was sent stands, what is new goes through the rules.

Here the parts are put together, and the head is made; `turns.py` makes the turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import EditNote, Head, Notice, Options, SystemBlock, Tool
from keepwarm.core.secret import Address
from keepwarm.exchange.commands import Fetch
from keepwarm.exchange.compare import Comparison, Now
from keepwarm.exchange.turns import TurnMaker
from keepwarm.rules import ord002
from keepwarm.rules.api import FirstSeen, Fix, HeadFix
from keepwarm.rules.engine import RuleBook
from keepwarm.session import succession
from keepwarm.session.branches import branch_of
from keepwarm.session.journal import KEPT_SHAPES, Group, Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Trail, shape_of
from keepwarm.session.succession import Older
from keepwarm.upstream import switches
from keepwarm.upstream.api import Dialect, Draft
from keepwarm.wire.api import Front, Parsed


class Stable(msgspec.Struct, frozen=True):
    """A request ready to go upstream, and what is known of it."""

    group: GroupKey
    lineage: Lineage
    name: str
    """Of the conversation: the lineage's id, or that of one of its branches."""
    parted: str
    """The name of the branch that goes on beside it, where that is known with this request; else ""."""
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
    older: Older
    """What it hangs together with when it is new."""
    comparison: Comparison
    """With the request before."""
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

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All places where this request and the one before part, in the order in which models read."""
        return self.comparison.differences


class Opening(msgspec.Struct, frozen=True):
    """The opening of a request: as much of it as tells which conversation it belongs to."""

    parsed: Parsed
    group: GroupKey
    system: Fix[tuple[SystemBlock, ...]]
    """The system prompt after the rules that look at it alone."""
    asked: bytes
    """Digest of its words."""
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
        asked = digest.of_text(*[block.text for block in system.value])
        shape = self._shape(asked, system.value, has_tools=bool(parsed.tools_raw))
        # What stands for one kind of server says nothing to another that may answer at the same address later, and
        # what stands for clients of one protocol nothing to those of another.
        spoken = f"{self._front.name}>{self._dialect.protocol}@{self._dialect.name}"
        key = GroupKey(session, agent, digest.chain(shape, spoken.encode()), self._front.name)
        return Opening(parsed, key, system, asked, self._maker(self._journal.group(key), parsed))

    def run(self, parsed: Parsed, session: str, agent: str) -> Stable:
        """The stable form of a request of `agent` in `session`. Raises BadJson for a part that cannot be read."""
        return self.go_on(self.begin(parsed, session, agent))

    def go_on(self, opening: Opening) -> Stable:
        """The stable form of a request that has been begun. Raises BadJson for a part that cannot be read."""
        note = self._rules.note
        parsed, key, system, maker = opening.parsed, opening.group, opening.system, opening.maker
        asked = opening.asked
        lineage = maker.lineage
        heading = self._heading(parsed, asked, system.value, lineage.head, can_tell=maker.can_tell())
        turns = maker.run(heading.notices, self._waiting(heading.head.tools))
        steps = turns.trail.steps
        loads = steps[-1].loads if steps else ()
        latest, shared = lineage.predecessor(turns.keys)
        if heading.holds and self._breaks(parsed.options, heading, lineage.head, loads, latest, shared):
            heading = self._heading(parsed, asked, system.value, lineage.head, can_tell=maker.can_tell(), hold=False)
        head = self._head(parsed, heading, lineage.head, loads)
        last = lineage.requests[0].options if lineage.requests else None
        options = self._rules.options(parsed.options, last)
        known, read = self._rules.known, self._dialect.read
        now = Now(options.value, head, turns.trail, self._front, parsed.leading, known, read=read)
        past = self._past(key, lineage, turns.keys, now)
        size = head.size
        return Stable(
            group=key,
            lineage=lineage,
            name=past.name or lineage.id,
            parted=past.parted,
            head=head,
            keys=turns.keys,
            trail=turns.trail,
            standing=turns.fresh,
            draft=self._draft(parsed, options.value, head, turns.trail),
            notes=(
                *map(note, system.edits),
                *head.notes,
                *map(note, options.edits),
                *turns.notes,
                *(map(note, switches.edits(parsed.body)) if self._keeps else ()),
            ),
            metadata=system.metadata,
            before=past.before,
            branch=past.branch,
            shared=past.shared,
            older=past.older,
            comparison=past.comparison,
            options=options.value,
            size=size + (steps[-1].size if steps else 0),
            sibling=past.sibling,
            inline=turns.inline,
            kept=size + turns.trail.size(past.shared),
        )

    def _shape(self, asked: bytes, system: tuple[SystemBlock, ...], *, has_tools: bool) -> bytes:
        """The shape of a prompt, of what stays in its head: found once for each system prompt."""
        name = asked + self._rules.mark + (b"+" if has_tools else b"-")
        shape = self._journal.shapes.get(name)
        if shape is None:
            fixed = self._rules.head(Head(system), None).head
            shape = self._journal.shapes[name] = shape_of(fixed.text(), has_tools)
            if len(self._journal.shapes) > KEPT_SHAPES:
                self._journal.shapes.popitem(last=False)
        return shape

    def _past(self, key: GroupKey, lineage: Lineage, keys: tuple[bytes, ...], now: Now) -> _Past:
        """What the request goes on from."""
        older = succession.older(self._journal, key, lineage, now.trail)
        best, shared = lineage.predecessor(keys)
        if best is None and len(keys) > 1:
            best, shared = self._journal.elsewhere(key, keys, now.head.wires)
        if best is None and older.sent is not None:
            return _Past(older.sent, 0, Comparison(older.sent, structs.replace(now, anew=True)), older)
        if best is None:
            before = self._journal.sibling(key)
            return _Past(before, 0, Comparison(before, now, head_only=True), older, sibling=before is not None)
        own = branch_of(lineage, keys, now.trail)
        latest = own.requests[0] if own.requests else best
        parted = Comparison(latest, now)
        # Behind all of an older request stand its answer and what is new. Where more does, that was processed with the
        # latest one, in other words.
        goes_back = latest is not best and shared == len(best.keys) and len(keys) <= shared + 2
        branch = best if goes_back and parted.differences else None
        shared = shared if latest is best else latest.shared(keys)
        return _Past(latest, shared, parted, older, branch, name=own.name, parted=own.parted)

    def _maker(self, group: Group, parsed: Parsed) -> TurnMaker:
        marks = self._dialect.marks(parsed.body)
        raws, leading = parsed.messages_raw, parsed.leading
        return TurnMaker(self._journal, self._rules, self._dialect, self._front, group, raws, leading, marks)

    def _heading(
        self,
        parsed: Parsed,
        asked: bytes,
        system: tuple[SystemBlock, ...],
        old: HeadState | None,
        *,
        can_tell: bool,
        hold: bool = True,
    ) -> _Heading:
        """System and tools after the rules. Read and fixed anew only when the client's are other than last time."""
        wires = tuple(map(digest.wire, parsed.tools_raw))
        if hold and old is not None and old.asked == asked and old.wires[:-1] == wires:
            return _Heading(old.head, old.notes, old.notices, wires, asked)
        tools = tuple(self._front.tool(raw, index) for index, raw in enumerate(parsed.tools_raw))
        fix = HeadFix(Head(system, tools))
        if can_tell:
            fix = self._rules.head(fix.head, old.head if old is not None else None)
        if not self._dialect.quiet_tools:
            fix = ord002.unannounced(fix)
        seen = () if old is None else old.head.tools
        hold = hold and self._rules.hold_tools and old is not None and _says(fix.head) == _says(old.head)
        known = FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in seen), hold)
        ordered = self._rules.tools(fix.head.tools, known)
        notes = tuple(map(self._rules.note, (*fix.edits, *ordered.edits)))
        return _Heading(Head(fix.head.system, ordered.value), notes, fix.notices, wires, asked, tools)

    def _breaks(
        self,
        options: Options,
        heading: _Heading,
        old: HeadState | None,
        loaded: tuple[str, ...],
        before: Sent | None,
        shared: int,
    ) -> bool:
        """Whether the prefix is lost whatever tools are held back, or the client insists on one of them."""
        if old is None or before is None or not shared or before.options.model != options.model:
            return True
        choice = options.tool_choice or ""
        insists = choice.startswith("tool:") and choice not in {f"tool:{tool.name}" for tool in heading.head.tools}
        return insists or old.wires[-1] != digest.of_text(*loaded)

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
        shown, late = head.tools, tuple[Tool, ...]()
        if self._dialect.quiet_tools or not self._dialect.same_protocol:
            ready = tuple(tool for tool in shown if not self._waits(tool) or tool.name in loaded)
            waited = self._waiting(ready)
            late = tuple(tool for tool in ready if tool.late or tool.name in waited)
            shown = tuple(tool for tool in ready if tool not in late)
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
            _size(head.system, shown),
            self._dialect.tools(late, original) if late else b"",
        )

    def _draft(self, parsed: Parsed, options: Options, head: HeadState, trail: Trail) -> Draft:
        return Draft(
            parsed.body,
            options,
            head.system,
            head.tools,
            tuple([step.turn.chunk for step in trail.steps]),
            tuple(pairwise([0, *[step.end for step in trail.steps]])),
            lengths=parsed.everything.lengths() if self._dialect.same_protocol else (),
            late=head.late,
            leading=parsed.leading,
            keeps=self._keeps,
        )

    @property
    def _keeps(self) -> bool:
        """Whether the server's chat template is to be told that it keeps earlier reasoning."""
        return self._dialect.drops_thinking and self._rules.has("HIS002")

    def _waiting(self, tools: Sequence[Tool]) -> dict[str, Tool]:
        """Those of the tools that are told of where a result loads them."""
        if not self._dialect.quiet_tools or not self._rules.has("ORD002"):
            return {}
        return {tool.name: tool for tool in tools if self._waits(tool)}

    def _waits(self, tool: Tool) -> bool:
        """Whether a tool is kept from the model until a result loads it; the Messages API does that itself."""
        return tool.deferred and self._dialect.protocol != "anthropic"


class _Past(msgspec.Struct, frozen=True):
    """What a request goes on from; see Stable."""

    before: Sent | None
    shared: int
    comparison: Comparison
    older: Older
    branch: Sent | None = None
    """Where a conversation has branches, the server may hold another than the latest."""
    sibling: bool = False
    name: str = ""
    parted: str = ""


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

    @property
    def holds(self) -> bool:
        """Whether a tool is held back."""
        return any(note.note == ord002.HELD for note in self.notes)


def _says(head: Head) -> list[str]:
    return [block.text for block in head.system]


def _size(system: tuple[SystemBlock, ...], tools: tuple[Tool, ...]) -> int:
    return sum(len(tool.schema) + len(tool.description) for tool in tools) + sum(len(block.text) for block in system)


def _head_key(system: tuple[SystemBlock, ...], tools: tuple[Tool, ...]) -> bytes:
    # A template prints the keys of a schema in the order in which they come.
    shown = [digest.of_text(tool.name, tool.description) + tool.schema for tool in tools]
    return digest.of_all((*map(digest.of_system, system), b"/", *shown))
