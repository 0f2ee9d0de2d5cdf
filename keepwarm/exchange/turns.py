"""The turns of one request: those that stand are taken over, the rest is read, fixed and written.

The hot path is this: each message's bytes are digested, and the leading messages that the conversation has sent before
are taken over with all that is known of them. Of each message behind them a look-up tells the identity, a chain of
identities tells the turn, and a turn that stands gives its upstream text as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from keepwarm.core import digest
from keepwarm.core.prompt import Edit, EditNote, Message, ToolReference, ToolResult, Turn
from keepwarm.rules.engine import RuleBook
from keepwarm.session.journal import Facts, Group, Journal, Lineage
from keepwarm.session.lineage import Standing, Step, Trail, group_turns, sum_up
from keepwarm.session.recall import Recollection
from keepwarm.upstream.api import Dialect
from keepwarm.wire.api import Front


class Turns(msgspec.Struct, frozen=True):
    """The turns of a request, as they go upstream."""

    lineage: Lineage
    keys: tuple[bytes, ...]
    """Chain digests of those in which something is said."""
    trail: Trail
    fresh: tuple[Standing, ...]
    """Those that did not stand before."""
    notes: tuple[EditNote, ...]
    """What was changed in the fresh ones, and the sum of what stands."""


class TurnMaker:
    """Makes the turns of one request; `run` does it."""

    def __init__(
        self, journal: Journal, rules: RuleBook, dialect: Dialect, front: Front, group: Group, raws: Sequence[bytes]
    ) -> None:
        self._journal = journal
        self._rules = rules
        self._dialect = dialect
        self._front = front
        self._group = group
        self._raws = raws
        self._wires = tuple([digest.wire(raw) for raw in raws])
        self._read: dict[int, tuple[Message, Message, tuple[Edit, ...]]] = {}

    def run(self) -> Turns:
        """The turns. Raises BadJson for a message that cannot be read."""
        keys, steps = self._repeated()
        at = steps[-1].end if steps else 0
        facts = [self._facts(index) for index in range(at, len(self._raws))]
        ranges = [(at + start, at + end) for start, end in group_turns([fact.role for fact in facts])]
        chained = _chain(keys[-1] if keys else b"", [facts[start - at : end - at] for start, end in ranges])
        keys = (*keys, *filter(None, chained))
        lineage = self._journal.lineage(self._group, keys)
        row = list(steps)
        fresh: list[Standing] = []
        notes: list[EditNote] = []
        stood: list[EditNote] = []
        for (start, end), key in zip(ranges, chained, strict=True):
            turn = self._standing(lineage, key, start, end)
            if turn is None:
                after = next((step.turn.key for step in reversed(row) if step.turn.key), b"")
                turn = self._new_turn(after, key, start, end)
                fresh += [turn] if key else []
                notes += turn.notes
            else:
                stood += turn.notes
            row.append(self._step(row, turn, start, end))
        notes += sum_up(steps[-1].edits if steps else (), stood)
        return Turns(lineage, keys, Trail(self._wires, tuple(row)), tuple(fresh), tuple(notes))

    def _repeated(self) -> tuple[tuple[bytes, ...], tuple[Step, ...]]:
        """What stands of the conversation that begins with this request's first turn."""
        first: list[Facts] = []
        for index in range(len(self._raws)):
            fact = self._facts(index)
            if first and "assistant" in (fact.role, first[0].role):
                break
            first.append(fact)
        key = _chain(b"", [first])[0]
        lineage = self._group.find((key,)) if key else None
        return ((), ()) if lineage is None else lineage.repeated(self._wires)

    def _standing(self, lineage: Lineage, key: bytes, start: int, end: int) -> Standing | None:
        """The turn, if it went upstream before and the client says it in the same bytes where that matters."""
        found = lineage.standing.get(key)
        return found if found is not None and found.wire == self._wire(start, end) else None

    def _wire(self, start: int, end: int) -> bytes:
        return digest.of_all(self._wires[start:end]) if self._dialect.same_protocol else b""

    def _new_turn(self, after: bytes, key: bytes, start: int, end: int) -> Standing:
        read = [self._message(index) for index in range(start, end)]
        original = Turn(tuple([message for message, _, _ in read]))
        edits = [edit for _, _, edits in read for edit in edits]
        if not key:  # nothing is said in it
            return Standing(b"", b"", self._dialect.turn(Turn(()), original), tuple(map(self._rules.note, edits)))
        spoken = Turn(tuple([message for _, message, _ in read if message.blocks or message.role == "assistant"]))
        fix = self._rules.turn(spoken, Recollection(self._journal.answers, self._group.key, after))
        notes = tuple(map(self._rules.note, (*edits, *fix.edits)))
        return Standing(key, self._wire(start, end), self._dialect.turn(fix.value, original), notes, _loads(original))

    def _step(self, row: Sequence[Step], turn: Standing, start: int, end: int) -> Step:
        """The step behind those of `row`."""
        said = size = 0
        loads: tuple[str, ...] = ()
        edits: tuple[EditNote, ...] = ()
        if row:
            last = row[-1]
            said, size, loads, edits = last.said, last.size, last.loads, last.edits
        if turn.key:
            said += 1
            size += len(turn.chunk) or sum(map(len, self._raws[start:end]))
        return Step(
            end,
            self._facts(start).role,
            turn,
            said,
            size,
            (*loads, *turn.loads) if turn.loads else loads,
            sum_up(edits, turn.notes) if turn.notes else edits,
        )

    def _facts(self, index: int) -> Facts:
        """What a message is: known by its bytes, or read now."""
        wire = self._rules.mark + self._wires[index]  # what one book takes for nothing another may take for words
        known = self._journal.facts(wire)
        if known is None:
            _, fixed, _ = self._message(index)
            said = fixed.blocks or fixed.role == "assistant"
            known = self._journal.learn(wire, Facts(digest.of_message(fixed) if said else b"", fixed.role))
        return known

    def _message(self, index: int) -> tuple[Message, Message, tuple[Edit, ...]]:
        """(as the client wrote it, after the rules that look at one message, what they changed)."""
        if index not in self._read:
            original = self._front.message(self._raws[index], index)
            fix = self._rules.message(original)
            self._read[index] = (original, fix.value, fix.edits)
        return self._read[index]


def _chain(key: bytes, turns: Sequence[Sequence[Facts]]) -> tuple[bytes, ...]:
    """The chain digest of each turn, `key` being that of the turn before; b"" for one in which nothing is said."""
    keys: list[bytes] = []
    for facts in turns:
        identity = b"".join([fact.identity for fact in facts])
        key = digest.chain(key, identity) if identity else key
        keys.append(key if identity else b"")
    return tuple(keys)


def _loads(turn: Turn) -> tuple[str, ...]:
    return tuple(
        part.name
        for block in turn.blocks()
        if isinstance(block, ToolResult)
        for part in block.content
        if isinstance(part, ToolReference)
    )
