"""From what the client sent to what goes upstream: what was sent stands, what is new goes through the rules.

The hot path is this: each message's bytes are digested, a look-up tells its identity, a chain of identities
tells the turn, and a turn that stands gives its upstream text as it is. Only what is new is parsed, fixed and
written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from keepwarm.core import digest
from keepwarm.core.diff import Difference, common_prefix
from keepwarm.core.prompt import Edit, EditNote, Head, Message, SystemBlock, Tool, ToolReference, ToolResult, Turn
from keepwarm.exchange.compare import difference
from keepwarm.rules.api import FirstSeen, Fix
from keepwarm.rules.codes import CODES
from keepwarm.rules.engine import RuleBook
from keepwarm.session.journal import Facts, Journal, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, group_turns, shape_of
from keepwarm.session.recall import Recollection
from keepwarm.upstream.api import Dialect, Draft
from keepwarm.wire.api import Front, Parsed


class Stable(msgspec.Struct, frozen=True):
    """A request ready to go upstream, and what is known of it."""

    group: GroupKey
    lineage: Lineage
    head: HeadState
    keys: tuple[bytes, ...]
    """Chain digests of its turns."""
    standing: tuple[Standing, ...]
    """Its turns as they go upstream, in order."""
    draft: Draft
    notes: tuple[EditNote, ...]
    metadata: tuple[tuple[str, str], ...]
    before: Sent | None
    """The request that this one goes on from."""
    shared: int
    """Leading turns that both have."""
    difference: Difference
    sizes: tuple[int, ...]
    """Bytes of the head and of each turn."""


class Stabiliser:
    """One request being made stable; `run` does it."""

    def __init__(self, journal: Journal, rules: RuleBook, dialect: Dialect, front: Front) -> None:
        self._journal = journal
        self._rules = rules
        self._dialect = dialect
        self._front = front
        self._fresh: dict[int, tuple[Message, Message, tuple[Edit, ...]]] = {}

    def run(self, parsed: Parsed, session: str, agent: str) -> Stable:
        """The stable form of a request of `agent` in `session`. Raises BadJson for a part that cannot be read."""
        system = self._rules.system(parsed.system)
        shape = shape_of(Head(system.value).text(), bool(parsed.tools_raw))
        group_key = GroupKey(session, agent, shape)
        facts, wires = self._facts(parsed.messages_raw)
        ranges = group_turns([fact.role for fact in facts])
        keys, spoken = _chain(facts, ranges)
        lineage = self._journal.lineage(self._journal.group(group_key), keys)
        before, shared = lineage.predecessor(keys)
        memory = Recollection(self._journal.answers, group_key)
        turns: list[Standing] = []
        chunks: list[bytes] = []
        sizes: list[int] = []
        starts: list[int] = []
        fresh: set[bytes] = set()
        for (start, end), said in zip(ranges, spoken, strict=True):
            if not said:
                chunks.append(self._dialect.turn(Turn(()), self._turn(parsed, start, end)[1]))
                continue
            key = keys[len(turns)]
            wire = digest.of_all(wires[start:end]) if self._dialect.same_protocol else b""
            stands = lineage.standing.get(key)
            if stands is None or stands.wire != wire:
                fresh.add(key)
                stands = self._new_turn(parsed, (start, end), key, wire, memory)
            turns.append(stands)
            chunks.append(stands.chunk)
            starts.append(start)
            sizes.append(len(stands.chunk) or sum(map(len, parsed.messages_raw[start:end])))
        loaded = tuple(name for turn in turns for name in turn.loads)
        head = self._head(parsed, system, lineage.head, loaded)
        notes = [*map(_note, system.edits), *head.notes]
        notes += [made if turn.key in fresh else replace(made, standing=True) for turn in turns for made in turn.notes]
        return Stable(
            group=group_key,
            lineage=lineage,
            head=head,
            keys=keys,
            standing=tuple(turns),
            draft=Draft(parsed.body, parsed.options, head.system, head.tools, tuple(chunks), tuple(ranges)),
            notes=tuple(notes),
            metadata=system.metadata,
            before=before,
            shared=shared,
            difference=difference(before, head, keys, shared, turns, starts, facts, lineage),
            sizes=(_head_size(head), *sizes),
        )

    def _facts(self, raws: Sequence[bytes]) -> tuple[list[Facts], list[bytes]]:
        """What each message is: known by its bytes, or read now."""
        facts: list[Facts] = []
        wires: list[bytes] = []
        for index, raw in enumerate(raws):
            wire = digest.wire(raw)
            wires.append(wire)
            known = self._journal.facts(wire)
            if known is None:
                _, fixed, _ = self._read(raw, index)
                said = fixed.blocks or fixed.role == "assistant"
                known = self._journal.learn(wire, Facts(digest.of_message(fixed) if said else b"", fixed.role))
            facts.append(known)
        return facts, wires

    def _read(self, raw: bytes, index: int) -> tuple[Message, Message, tuple[Edit, ...]]:
        """(as the client wrote it, after the rules that look at one message, what they changed)."""
        if index not in self._fresh:
            original = self._front.message(raw, index)
            fix = self._rules.message(original)
            self._fresh[index] = (original, fix.value, fix.edits)
        return self._fresh[index]

    def _turn(self, parsed: Parsed, start: int, end: int) -> tuple[Turn, Turn, tuple[Edit, ...]]:
        """(fixed so far, as the client wrote it, edits so far)."""
        read = [self._read(parsed.messages_raw[index], index) for index in range(start, end)]
        edits = tuple(edit for _, _, edits in read for edit in edits)
        fixed = Turn(tuple(message for _, message, _ in read if message.blocks or message.role == "assistant"))
        return fixed, Turn(tuple(message for message, _, _ in read)), edits

    def _new_turn(
        self, parsed: Parsed, bounds: tuple[int, int], key: bytes, wire: bytes, memory: Recollection
    ) -> Standing:
        fixed, original, edits = self._turn(parsed, *bounds)
        fix = self._rules.turn(fixed, memory)
        chunk = self._dialect.turn(fix.value, original)
        return Standing(key, wire, chunk, tuple(map(_note, (*edits, *fix.edits))), _loads(original))

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
            tuple(map(_note, fix.edits)),
        )


def _head_key(system: tuple[SystemBlock, ...], tools: tuple[Tool, ...]) -> bytes:
    return digest.of_all((*map(digest.of_system, system), b"/", *map(digest.of_tool, tools)))


def _chain(facts: Sequence[Facts], ranges: Sequence[tuple[int, int]]) -> tuple[tuple[bytes, ...], list[bool]]:
    """The chain digests of the turns in which something is said, and for each turn whether it is one of them."""
    keys: list[bytes] = []
    spoken: list[bool] = []
    key = b""
    for start, end in ranges:
        identity = b"".join([fact.identity for fact in facts[start:end]])
        spoken.append(bool(identity))
        if identity:
            key = digest.chain(key, identity)
            keys.append(key)
    return tuple(keys), spoken


def _loads(turn: Turn) -> tuple[str, ...]:
    return tuple(
        part.name
        for block in turn.blocks()
        if isinstance(block, ToolResult)
        for part in block.content
        if isinstance(part, ToolReference)
    )


def _note(edit: Edit) -> EditNote:
    same = common_prefix(edit.before, edit.after)
    safety = CODES[edit.code].safety.name.lower()
    return EditNote(edit.code, edit.path, safety, len(edit.before) - same, len(edit.after) - same, edit.note)


def _head_size(head: HeadState) -> int:
    tools = sum(len(tool.schema) + len(tool.description) for tool in head.shown)
    return tools + sum(len(block.text) for block in head.head.system)
