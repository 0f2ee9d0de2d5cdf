"""Conversations as trees of what was sent.

A *group* is everything one agent of one session says with one shape of prompt. In it a *lineage* is one
conversation: requests that share their first turn. Its turns form a tree by chain digests, so that a fork,
a rewind or a retry starts its branch at the turn where it parts, and what stands before is found by a
dictionary look-up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from keepwarm.core import digest
from keepwarm.core.answer import Answer
from keepwarm.core.clock import without_figures
from keepwarm.core.diff import common_prefix
from keepwarm.core.prompt import EditNote, Head, Notice, Options, Tool
from keepwarm.core.sketch import Mark

SHAPE_CHARACTERS = 512
"""How much of the system prompt tells the kinds of calls of one agent apart: enough for its opening words, too
little for the git status or the date that older clients write further down."""


LARGE = ("head", "system", "tools", "shown", "late")
"""The large parts of a `HeadState`, kept once however many conversations send them."""


class GroupKey(msgspec.Struct, frozen=True, gc=False):
    """Who is speaking."""

    session: str
    agent: str
    shape: bytes
    """Digest of the opening of the system prompt and of whether there are tools: a title call shares session and
    agent with the main conversation but never this."""
    front: str = ""
    """The protocol that the client speaks."""

    def packed(self) -> bytes:
        """All of it as bytes that no other key has."""
        return digest.of_text(self.session, self.agent) + self.shape


class HeadState(msgspec.Struct, frozen=True, gc=False):
    """System and tools of a request as they went upstream."""

    key: bytes
    """Digest of what went upstream."""
    head: Head
    """After the rules."""
    system: bytes
    """The upstream text of the system prompt, in the dialect's shape."""
    tools: bytes
    """The upstream text of the tools."""
    shown: tuple[Tool, ...] = ()
    """The tools that the model reads: not those that wait until a result refers to them."""
    wires: tuple[bytes, ...] = ()
    """Digests of the client's tool texts, to know them again without parsing; the last one is of the deferred tools
    that have been loaded."""
    notes: tuple[EditNote, ...] = ()
    """What was changed in it."""
    notices: tuple[Notice, ...] = ()
    """What it does not say, and the model is told in the conversation instead."""
    asked: bytes = b""
    """Digest of the client's system texts, to know them again."""
    size: int = 0
    """Characters and bytes of it, about."""
    late: bytes = b""
    """The upstream text of the tools that the model reads of in the conversation."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One turn as it went upstream: what was sent stands."""

    key: bytes
    """Chain digest up to and with this turn."""
    wire: bytes
    """Digest of the client's bytes that it was made from."""
    chunk: bytes
    """Its upstream text; b"" when the client's own bytes went."""
    notes: tuple[EditNote, ...] = ()
    loads: tuple[str, ...] = ()
    """Deferred tools that a result in this turn loads."""
    marks: tuple[Mark, ...] = ()
    """What the client's version of it was made of."""
    loose: bytes = b""
    """Chain digest of the turn before and of what this one says loosely: known by it when it comes back otherwise."""
    raw: bytes = b""
    """The client's own bytes, where those went: its messages, with commas between them."""
    told: tuple[tuple[str, bytes], ...] = ()
    """What it tells the model for the gateway: (topic, digest of the words)."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One turn of a request, and what adds up from the first turn to this one."""

    end: int
    """The index behind its last message; the next turn begins there."""
    role: str
    """Of its first message."""
    turn: Standing
    """As it goes upstream; its key is b"" where nothing is said in it."""
    said: int
    """Turns so far in which something is said."""
    size: int
    """Bytes of the turns so far."""
    loads: tuple[str, ...] = ()
    """Deferred tools that results so far have loaded."""
    edits: tuple[EditNote, ...] = ()
    """What was changed in the turns so far, summed up."""
    told: tuple[tuple[str, bytes], ...] = ()
    """What the gateway has told the model in the turns so far: (topic, digest of the words), the latest last."""
    otherwise: bool = False
    """Whether it goes as the model has read it, and not as this request says it."""
    late: tuple[Notice, ...] = ()
    """What this request says in the turns so far, and the model has not read there: to be told in the newest turn."""


def step_after(
    last: Step | None, turn: Standing, end: int, role: str, size: int, late: tuple[Notice, ...] | None = None
) -> Step:
    """The step behind `last` (None: the first one).

    size  bytes of the turn
    late  see `Step`; None where the turn goes as this request says it
    """
    said = passed = 0
    loads: tuple[str, ...] = ()
    edits: tuple[EditNote, ...] = ()
    told: tuple[tuple[str, bytes], ...] = ()
    before: tuple[Notice, ...] = ()
    if last is not None:
        said, passed, loads, edits, told, before = last.said, last.size, last.loads, last.edits, last.told, last.late
    if turn.key:
        said += 1
        passed += size
    return Step(
        end,
        role,
        turn,
        said,
        passed,
        (*loads, *turn.loads) if turn.loads else loads,
        sum_up(edits, turn.notes) if turn.notes else edits,
        (*told, *turn.told) if turn.told else told,
        late is not None,
        (*before, *late) if late else before,
    )


class Trail(msgspec.Struct, frozen=True, gc=False):
    """All turns of a request, so that the next one takes over those that it repeats.

    An agent sends its whole conversation each time. How much of it is a repetition is told by a few comparisons of
    slices; only what lies behind is looked at message by message.
    """

    wires: tuple[bytes, ...] = ()
    """The digest of each message's bytes."""
    steps: tuple[Step, ...] = ()

    def shared(self, wires: Sequence[bytes]) -> int:
        """How many leading turns a request with these messages repeats, byte for byte and to their end.

        A turn at whose end the two part is not one of them: another message may have lengthened it.
        """
        return bisect_left(self.steps, common_prefix(self.wires, wires), key=lambda step: step.end)

    def at(self, said: int) -> int:
        """The index of the step with which `said` turns have been in which something is said; -1 for none."""
        return bisect_left(self.steps, said, key=lambda step: step.said) if said else -1

    def size(self, said: int) -> int:
        """Bytes of the first `said` turns in which something is said."""
        return self.steps[self.at(said)].size if said else 0


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One request of a lineage, as far as a later one is compared with it."""

    record: str
    """The id of its record."""
    keys: tuple[bytes, ...]
    """Chain digests of its turns."""
    head: HeadState
    options: Options
    size: int = 0
    """Bytes of its head and turns."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    answer: Answer | None = None
    """What came back, when it came back whole."""
    trail: Trail = Trail()
    """Its turns, to be taken over."""
    replica: str = ""
    """The machine that answered, where the answer's headers name one."""
    era: int = 0
    """How often the server had been lost before; see `Keeper.lost`."""
    at: float = 0.0
    """Unix seconds when it came."""
    branch: str = ""
    """The name of the branch that it belongs to, where the conversation goes on in several; see `session.branches`."""

    def points(self, known: Mapping[bytes, int]) -> tuple[tuple[float, int], ...]:
        """The ends of turns of which the tokens are known by chain digest: (share of this prompt, tokens), in order."""
        if not self.size:
            return ()
        return tuple(
            ((self.head.size + step.size) / self.size, known[step.turn.key])
            for step in self.trail.steps
            if step.turn.key in known
        )

    def shared(self, keys: Sequence[bytes]) -> int:
        """How many leading turns another request shares. A chain digest is equal only if all before it are."""
        limit = min(len(self.keys), len(keys))
        return bisect_left(range(limit), True, key=lambda at: self.keys[at] != keys[at])


def sum_up(edits: tuple[EditNote, ...], more: Iterable[EditNote]) -> tuple[EditNote, ...]:
    """Edits that stand since earlier requests, one note for each rule."""
    sums = {edit.code: edit for edit in edits}
    for edit in more:
        before = sums.get(edit.code)
        if before is None:
            sums[edit.code] = replace(edit, standing=True)
        else:
            sums[edit.code] = EditNote(
                code=edit.code,
                path="",
                safety=edit.safety,
                removed=before.removed + edit.removed,
                added=before.added + edit.added,
                note=edit.note if edit.note == before.note else "",
                standing=True,
                count=before.count + edit.count,
            )
    return tuple(sums.values())


def group_turns(roles: Sequence[str]) -> list[tuple[int, int]]:
    """Cut a row of message roles into turns, as half-open ranges of indexes.

    An assistant message is a turn of its own; so is each run of other messages between two of them.
    """
    turns: list[tuple[int, int]] = []
    start = 0
    for at, role in enumerate(roles):
        if role == "assistant":
            if start < at:
                turns.append((start, at))
            turns.append((at, at + 1))
            start = at + 1
    if start < len(roles):
        turns.append((start, len(roles)))
    return turns


def shape_of(head_text: str, has_tools: bool) -> bytes:
    """The shape of a prompt from its system text (after the rules) and whether it offers tools.

    Figures do not count: a date or a session's path in the opening must not make another conversation of it.
    """
    return _shape(head_text[: 2 * SHAPE_CHARACTERS], has_tools)


@lru_cache(256)
def _shape(opening: str, has_tools: bool) -> bytes:
    return digest.of_text(without_figures(opening)[:SHAPE_CHARACTERS], "tools" if has_tools else "")
