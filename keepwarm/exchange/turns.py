"""The turns of one request: those that stand are taken over, the rest is read, fixed and written.

The hot path is this: each message's bytes are digested, and the leading messages that the conversation has sent before
are taken over with all that is known of them. Of each message behind them a look-up tells the identity, a chain of
identities tells the turn, and a turn that stands gives its upstream text as it is.

A turn that has been answered and comes back otherwise, in ways that clients do not mean (a reminder is gone, arguments
are written anew), stands as well: see `TurnMaker._as_it_stood`. The newest turn is always the client's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
from msgspec.structs import replace

from keepwarm.codec.pieces import Pieces
from keepwarm.core import digest
from keepwarm.core.prompt import Edit, EditNote, Message, Notice, Tool, ToolReference, ToolResult, Turn
from keepwarm.core.secret import secret_of
from keepwarm.core.sketch import Change, Mark, changes, loose_of, loose_turn, marks_of, together
from keepwarm.exchange.tail import Tail, find_reminder, tell, tell_tools
from keepwarm.rules.engine import RuleBook
from keepwarm.session.journal import Facts, Group, Journal, Lineage
from keepwarm.session.lineage import Standing, Step, Trail, group_turns, step_after, sum_up
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
    inline: str = ""
    """JSON pointer to the newest system message that goes upstream among the others in a fresh one."""


class TurnMaker:
    """Makes the turns of one request; `run` does it.

    leading  messages of the client's that stand in front of `raws` and are its system prompt
    marks    see `Dialect.marks`
    """

    def __init__(
        self,
        journal: Journal,
        rules: RuleBook,
        dialect: Dialect,
        front: Front,
        group: Group,
        raws: Pieces,
        leading: int = 0,
        marks: bool = True,
    ) -> None:
        self._journal = journal
        self._rules = rules
        self._dialect = dialect
        self._front = front
        self._group = group
        self._raws = raws
        self._leading = leading
        self._marks = marks
        self._salt = front.name.encode() + rules.mark
        self._wires = (*raws.wires, *map(digest.wire, raws.behind(len(raws.wires))))
        self._read: dict[int, tuple[Message, Message, tuple[Edit, ...]]] = {}
        self._row: list[Step] = []
        self._fresh: list[Standing] = []
        self._notes: list[EditNote] = []
        self._stood: list[EditNote] = []
        self._inline = ""
        self._waiting: Mapping[str, Tool] = {}
        self._first = self._first_turn()

    def run(self, notices: Sequence[Notice] = (), waiting: Mapping[str, Tool] | None = None) -> Turns:
        """The turns; `notices` are told in the newest one unless they have been, the definition of a tool in `waiting`
        where a result loads it. Raises BadJson for a message that cannot be read."""
        self._waiting = waiting or {}
        keys, steps = self._taken_over()
        self._row = list(steps)
        at = steps[-1].end if steps else 0
        facts = [self._facts(index) for index in range(at, len(self._raws))]
        ranges = group_turns([fact.role for fact in facts])
        newest = max(
            (number for number, (start, _) in enumerate(ranges) if facts[start].role != "assistant"), default=-1
        )
        for number, (start, end) in enumerate(ranges):
            last = self._row[-1] if self._row else None
            tail = None
            if number == newest:
                tail = Tail((*notices, *last.late), last.told) if last is not None else Tail(notices)
            self._add(facts[start:end], at + start, at + end, settled=number < newest, tail=tail)
        notes = (*self._notes, *sum_up(steps[-1].edits if steps else (), self._stood))
        keys = (*keys, *(step.turn.key for step in self._row[len(steps) :] if step.turn.key))
        return Turns(self.lineage, keys, Trail(self._wires, tuple(self._row)), tuple(self._fresh), notes, self._inline)

    def can_tell(self) -> bool:
        """Whether there is a turn in which the model can be told something."""
        return any(self._facts(index).role != "assistant" for index in reversed(range(len(self._raws))))

    def _taken_over(self) -> tuple[tuple[bytes, ...], tuple[Step, ...]]:
        """What an earlier request sent in the same bytes. What stood there otherwise than the client said it is taken
        over only where it is no newest turn: that one goes as the client says it."""
        keys, steps = self.lineage.repeated(self._wires)
        at = steps[-1].end if steps else 0
        if any(self._facts(index).role != "assistant" for index in range(at, len(self._raws))):
            return keys, steps
        newest = max((place for place, step in enumerate(steps) if step.role != "assistant"), default=-1)
        if newest < 0 or not steps[newest].otherwise:
            return keys, steps
        return keys[: steps[newest - 1].said if newest else 0], steps[:newest]

    @cached_property
    def lineage(self) -> Lineage:
        """The conversation that begins with this request's first turn; made where it is new."""
        key, loose = _key(b"", self._first), _loose(b"", self._first)
        return self._journal.lineage(self._group, key, loose, self._wires, goes_on=self.goes_on)

    def secret(self) -> bytes | None:
        """The secret of a conversation that the journal does not know; None when it does, or nothing is said in it."""
        key = _key(b"", self._first)
        if not key or self._journal.knows(self._group, key, _loose(b"", self._first), goes_on=self.goes_on):
            return None
        said = [self._message(index)[1] for index in range(len(self._first))]
        return secret_of(said, self._group.key.front.encode(), self._group.key.shape)

    @property
    def goes_on(self) -> bool:
        """Whether there is more than the first turn."""
        return len(self._first) < len(self._raws)

    def _first_turn(self) -> Sequence[Facts]:
        first: list[Facts] = []
        for index in range(len(self._raws)):
            fact = self._facts(index)
            if first and "assistant" in (fact.role, first[0].role):
                break
            first.append(fact)
        return self._said(first, 0)

    def _add(self, facts: Sequence[Facts], start: int, end: int, *, settled: bool, tail: Tail | None) -> None:
        """One more turn: as it stands, or as it did, or made now."""
        facts = self._said(facts, start)
        after = next((step.turn.key for step in reversed(self._row) if step.turn.key), b"")
        key = _key(after, facts)
        turn = self._standing(key, facts, start, end)
        late: tuple[Notice, ...] | None = None
        if turn is not None:
            self._stood += turn.notes
            turn = self._as_told(turn, facts, start, end)
        elif key and settled and (found := self._as_it_stood(after, key, facts, start, end)) is not None:
            turn, late = found
        if turn is None:
            turn = self._new_turn(after, key, facts, start, end, tail)
            self._fresh += [turn] if key else []
            self._notes += turn.notes
        self._row.append(self._step(turn, start, end, late))

    def _standing(self, key: bytes, facts: Sequence[Facts], start: int, end: int) -> Standing | None:
        """The turn, if it went upstream before and the client says it in the same bytes where that matters."""
        found = self.lineage.standing.get(key)
        if found is None or not self._dialect.same_protocol or found.wire == self._wire(start, end):
            return found
        if found.chunk:  # what a rule has made of it stands whatever marks the client sets in it
            return found
        if self._marks or not self._rules.has("HIS006"):
            return None
        _, notes = self._differing(found, facts, start)
        return None if notes is None else replace(found, chunk=found.raw)

    def _as_told(self, found: Standing, facts: Sequence[Facts], start: int, end: int) -> Standing:
        """A turn that stands, with a note of what the client has left out of it since: its reasoning, empty texts."""
        if found.wire == self._wire(start, end) or found.chunk == b"":
            return found
        notes = self._differing(found, facts, start)[1] or ()
        edited = (start + number for number, fact in enumerate(facts) if fact.edited)
        read = [self._message(index) for index in edited]
        edits = [edit for _, _, edits in read for edit in edits]
        notes = (*self._named(edits, Turn(tuple([message for message, _, _ in read]))), *notes)
        self._notes += notes
        return replace(found, notes=(*found.notes, *notes)) if notes else found

    def _as_it_stood(
        self, after: bytes, key: bytes, facts: Sequence[Facts], start: int, end: int
    ) -> tuple[Standing, tuple[Notice, ...]] | None:
        """An answered turn that comes back in other words, as the model has read it.

        Only where a rule in force says that this is not the client's meaning. Reminders that came up in it since are
        told in the newest turn: they come along.
        """
        found = self.lineage.alike(_loose(after, facts))
        if found is None:
            return None
        differing, notes = self._differing(found, facts, start)
        if notes is None or (found.key == key and not differing):  # the marks of the client's own may be others
            return None
        late = [
            notice
            for change in differing
            if change.kind == "reminder" and change.come
            for notice in self._unread(change, start)
        ]
        self._stood += found.notes
        self._notes += notes
        return replace(found, chunk=found.chunk or found.raw, notes=(*found.notes, *notes)), tuple(late)

    def _differing(
        self, found: Standing, facts: Sequence[Facts], start: int
    ) -> tuple[list[Change], tuple[EditNote, ...] | None]:
        """(how a turn differs from how it stands, the notes of that); None for the notes where no rule in force undoes
        one of the changes."""
        now = together(fact.marks for fact in facts)
        differing = changes(found.marks, now) if found.marks != now else []
        notes: list[EditNote] = []
        for change in differing:
            code = self._rules.keeps.get(change.kind)
            if code is None:
                return differing, None
            if not (change.kind == "reminder" and change.come):
                path = self._path(start, change)
                safety = self._rules.safety(code)
                notes.append(EditNote(code, path, safety, 0, 0, "as the model has read it"))
        return differing, tuple(notes)

    def _path(self, start: int, change: Change) -> str:
        return f"/messages/{self._leading + start + change.message}{change.path}"

    def _unread(self, change: Change, start: int) -> list[Notice]:
        """A reminder that came up in an old turn, unless the model has read it anywhere in this conversation."""
        come = change.come
        if any(mark.strict == come for step in self._row for mark in step.turn.marks if mark.kind == "reminder"):
            return []
        text = find_reminder(self._message(start + change.message)[1].blocks[change.place], come)
        return [Notice(f"reminder {come.hex()}", text, "HIS001", self._path(start, change))] if text else []

    def _wire(self, start: int, end: int) -> bytes:
        return digest.of_all(self._wires[start:end])

    def _new_turn(
        self, after: bytes, key: bytes, facts: Sequence[Facts], start: int, end: int, tail: Tail | None
    ) -> Standing:
        read = [self._message(index) for index in range(start, end)]
        original = Turn(tuple([message for message, _, _ in read]))
        edits = [edit for _, _, edits in read for edit in edits]
        spoken = Turn(tuple([message for _, message, _ in read if message.blocks or message.role == "assistant"]))
        if not key and not spoken.messages:  # nothing is said in it
            return Standing(b"", b"", self._dialect.turn(Turn(()), original), self._named(edits, original))
        marks = together(fact.marks for fact in facts)
        told: tuple[tuple[str, bytes], ...] = ()
        if tail is not None and spoken.messages:
            spoken, told, more = tell(spoken, tail)
            edits += more
        if self._waiting:
            spoken, more = tell_tools(spoken, self._waiting)
            edits += more
        fix = self._rules.turn(spoken, self._recollection(after))
        notes = self._named((*edits, *fix.edits), original)
        for message in fix.value.messages:
            if message.role == "system" and message.blocks:
                self._inline = f"/messages/{message.index}"
        chunk = self._dialect.turn(fix.value, original)
        raw = b"" if chunk else b",".join(self._raws[start:end])
        wire = self._wire(start, end)
        return Standing(key, wire, chunk, notes, _loads(original), marks, _loose(after, facts), raw, told)

    def _named(self, edits: Sequence[Edit], turn: Turn) -> tuple[EditNote, ...]:
        """Edits as the record has them, their places in a turn as the client's protocol names them."""
        found = []
        for edit in edits:
            message = next((one for one in turn.messages if edit.path.startswith(f"/messages/{one.index}/")), None)
            path = edit.path if message is None else self._front.place(edit.path, message)
            found.append(self._rules.note(replace(edit, path=path)))
        return tuple(found)

    def _recollection(self, after: bytes) -> Recollection:
        before: Sequence[Mark] = self._row[-1].turn.marks if self._row else ()
        calls = tuple(mark.key for mark in before if mark.kind == "call")
        return Recollection(self._journal.answers, self._group.key, after, calls)

    def _step(self, turn: Standing, start: int, end: int, late: tuple[Notice, ...] | None) -> Step:
        """The step behind those that are there."""
        size = len(turn.chunk) or sum(map(len, self._raws[start:end])) + end - start - 1  # the commas between them
        return step_after(self._row[-1] if self._row else None, turn, end, self._facts(start).role, size, late)

    def _facts(self, index: int) -> Facts:
        """What a message is: known by its bytes, or read now."""
        # The same bytes may say one thing in one protocol and another in the next, and one book may drop what another
        # leaves to the model.
        wire = self._salt + self._wires[index]
        known = self._journal.facts(wire)
        if known is None:
            _, fixed, edits = self._message(index)
            known = self._journal.learn(wire, self._facts_of(fixed, bool(edits)))
        return known

    def _facts_of(self, message: Message, edited: bool) -> Facts:
        marks = marks_of(message, self._front.pointer)
        identity = digest.of_message(message) if message.blocks or message.role == "assistant" else b""
        return Facts(identity, message.role, loose_of(message.role, marks), marks, edited)

    def _said(self, facts: Sequence[Facts], start: int) -> Sequence[Facts]:
        """What the messages of a turn say; where rules leave nothing of what the user says in it, that is said."""
        if any(fact.identity for fact in facts) or not any(fact.edited and fact.role == "user" for fact in facts):
            return facts
        row = list(facts)
        for number, fact in enumerate(facts):
            if fact.edited and fact.role == "user":
                original, _, _ = self._message(start + number)
                self._read[start + number] = (original, original, ())
                row[number] = self._facts_of(original, False)
        return row

    def _message(self, index: int) -> tuple[Message, Message, tuple[Edit, ...]]:
        """(as the client wrote it, after the rules that look at one message, what they changed)."""
        if index not in self._read:
            original = self._front.message(self._raws[index], self._leading + index)
            fix = self._rules.message(original)
            self._read[index] = (original, fix.value, fix.edits)
        return self._read[index]


def _key(after: bytes, facts: Sequence[Facts]) -> bytes:
    """The chain digest of a turn behind the one with the digest `after`; b"" for one in which nothing is said."""
    identity = b"".join([fact.identity for fact in facts])
    return digest.chain(after, identity) if identity else b""


def _loose(after: bytes, facts: Sequence[Facts]) -> bytes:
    return digest.chain(after, loose_turn(fact.loose for fact in facts))


def _loads(turn: Turn) -> tuple[str, ...]:
    return tuple(
        part.name
        for block in turn.blocks()
        if isinstance(block, ToolResult)
        for part in block.content
        if isinstance(part, ToolReference)
    )
