"""The journal: what went upstream for each turn of each conversation.

It holds new content only: a turn's upstream text once, digests for what is repeated. It lives in memory,
bounded in bytes; what has not been used longest goes first. It knows no clock and no socket: the shell owns
one and hands it to each request's life.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.sketch import Loose, Mark
from keepwarm.session.kept import Kept
from keepwarm.session.lineage import LARGE, GroupKey, HeadState, Sent, Standing, Step
from keepwarm.session.recall import Answers

DEFAULT_BYTES = 1024 * 1024 * 1024
_KEPT_SENT = 8
_KEPT_FACTS = 400_000
_KEPT_LATEST = 256
_KEPT_NAMED = 1024
KEPT_SHAPES = 256
TURN_BYTES = 1_000
"""What a turn weighs besides its text, so that turns of which the client's own bytes went are bounded too."""


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What is known of a message by the digest of its bytes."""

    identity: bytes
    role: str
    loose: Loose = Loose()
    """What it says loosely."""
    marks: tuple[Mark, ...] = ()
    """What it is made of."""
    edited: bool = False
    """Whether a rule that looks at one message changes it."""


class Lineage:
    """One conversation: its turns that went upstream, its latest requests, its name."""

    __slots__ = ("count", "firsts", "head", "id", "kept", "loose", "origin", "points", "requests", "standing")

    def __init__(self, name: str) -> None:
        self.id = name
        self.firsts: list[bytes] = []
        """The chain digests of its first turn: several where that was edited, the latest last."""
        self.kept: Kept | None = None
        """What of it is in the archive; None while nothing is."""
        self.standing: dict[bytes, Standing] = {}
        self.loose: dict[bytes, bytes] = {}
        """The chain digest of a turn by its loose one; of several the latest."""
        self.points: dict[bytes, int] = {}
        """Tokens of the prompt up to and with a turn, by its chain digest, where a request ended there."""
        self.requests: list[Sent] = []
        """The latest first, at most one for each branch, eight in all."""
        self.head: HeadState | None = None
        """The head that went upstream last."""
        self.count = 0
        """Requests so far."""
        self.origin: Lineage | None = None
        """What it was forked from, until its first request has been answered."""

    def go_on_from(self, origin: Lineage) -> None:
        """What stands in `origin` stands here too, from now on each for itself."""
        self.origin = origin
        self.head = origin.head
        self.standing.update(origin.standing)
        self.loose.update(origin.loose)
        self.requests += [structs.replace(sent, branch="") if sent.branch else sent for sent in origin.requests]
        self.points.update(origin.points)

    @property
    def name(self) -> str:
        """Of the branch that was used last."""
        return self.requests[0].branch or self.id if self.requests else self.id

    def predecessor(self, keys: Sequence[bytes]) -> tuple[Sent | None, int]:
        """The request that this one goes on from, and how many leading turns they share."""
        best: Sent | None = None
        depth = 0
        for sent in self.requests:
            shared = sent.shared(keys)
            if best is None or shared > depth:
                best, depth = sent, shared
        return best, depth

    def repeated(self, wires: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[Step, ...]]:
        """The turns that a request with messages of these digests repeats: their chain digests, and as they stood.

        Of a request that was answered, so they went upstream as they are.
        """
        best, count = None, 0
        for sent in self.requests:
            shared = sent.trail.shared(wires)
            if shared > count:
                best, count = sent, shared
        if best is None:
            return (), ()
        steps = best.trail.steps[:count]
        return best.keys[: steps[-1].said], steps

    def alike(self, loose: bytes) -> Standing | None:
        """The turn that stands and says loosely the same behind the same turns."""
        key = self.loose.get(loose)
        return None if key is None else self.standing.get(key)

    def bytes(self) -> int:
        """Bytes of text it holds."""
        return sum(map(_held, self.standing.values()))

    def weight(self) -> int:
        """Bytes that it counts for."""
        return self.bytes() + TURN_BYTES * len(self.standing)


class Group:
    """The conversations of one agent of one session with one shape."""

    __slots__ = ("key", "lineages", "loose")

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.lineages: OrderedDict[bytes, Lineage] = OrderedDict()
        """By the chain digest of the first turn, the one used longest ago first. A conversation whose first turn was
        edited stands under several."""
        self.loose: dict[bytes, bytes] = {}
        """The chain digest of a first turn by its loose one; of several the latest."""

    def find(self, keys: Sequence[bytes]) -> Lineage | None:
        """The lineage that these turns belong to; None when the conversation is new."""
        return self.lineages.get(keys[0]) if keys else None

    def alike(self, loose: bytes) -> Lineage | None:
        """The lineage whose first turn says loosely this."""
        key = self.loose.get(loose)
        return None if key is None else self.lineages.get(key)


class Journal:
    """All that stands, for one upstream."""

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._weight = 0
        self._facts: OrderedDict[bytes, Facts] = OrderedDict()
        self._groups: OrderedDict[GroupKey, Group] = OrderedDict()
        self.answers = Answers()
        """What the server generated."""
        self._heads: dict[bytes, HeadState] = {}
        self._main: OrderedDict[str, bytes] = OrderedDict()
        self._latest: OrderedDict[bytes, Sent] = OrderedDict()
        self._named: OrderedDict[str, tuple[Lineage, Sent]] = OrderedDict()
        self.shapes: OrderedDict[bytes, bytes] = OrderedDict()
        """The shape of a prompt by the digest of its system prompt."""

    # What is known of a message -------------------------------------------------------------------

    def facts(self, wire: bytes) -> Facts | None:
        """What an earlier request taught about a message with these bytes."""
        return self._facts.get(wire)

    def learn(self, wire: bytes, facts: Facts) -> Facts:
        """Keep what a message's bytes say."""
        self._facts[wire] = facts
        if len(self._facts) > _KEPT_FACTS:
            self._facts.popitem(last=False)
        return facts

    # Conversations ----------------------------------------------------------------------------------

    def group(self, key: GroupKey) -> Group:
        """The group of a key, made when it is new."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
        self._groups.move_to_end(key)
        return group

    def is_main(self, session: str, shape: bytes, has_tools: bool) -> bool:
        """Whether a shape is the main conversation's: the first one of its session that offered tools."""
        if not session:
            return has_tools
        if session not in self._main and has_tools:
            self._main[session] = shape
            if len(self._main) > 10_000:
                self._main.popitem(last=False)
        return self._main.get(session) == shape

    def lineage(self, group: Group, first: bytes, loose: bytes, wires: Sequence[bytes], *, goes_on: bool) -> Lineage:
        """The conversation whose first turn has the chain digest `first` and the loose one `loose`.

        Made when it is new. Where there are turns behind the first one (`goes_on`), a first turn that is not known may
        be one that was edited: it is then one that says loosely the same, or one of which at least half of the
        messages (`wires`) were sent before.
        """
        found = group.lineages.get(first)
        if found is None and goes_on:
            found = group.alike(loose) or _overlapping(group, wires)
        if found is None:
            found = Lineage(digest.chain(group.key.packed(), first).hex())
            if goes_on and (origin := self._origin(group.key, first)) is not None:
                found.go_on_from(origin)
                self._size += found.bytes()
                self._weight += found.weight()
        self._enter(group, first, found)
        return found

    def knows(self, group: Group, first: bytes, loose: bytes, *, goes_on: bool) -> bool:
        """Whether `lineage` would find a conversation by its first turn."""
        return first in group.lineages or (goes_on and group.alike(loose) is not None)

    def adopt(self, group: Group, lineage: Lineage, *, main: bool) -> bool:
        """Take a conversation in that stood in another process; False when it has come up here meanwhile.

        main  whether its shape is the main conversation's of its session
        """
        if any(first in group.lineages for first in lineage.firsts):
            return False
        for first in tuple(lineage.firsts):
            self._enter(group, first, lineage)
        if main and group.key.session:
            self._main[group.key.session] = group.key.shape
        return True

    def _origin(self, key: GroupKey, first: bytes) -> Lineage | None:
        """The conversation of the same agent under another session id that begins with the same turn, the one used
        last: a session that is forked comes back with all its turns under a new id."""
        groups = [
            group for group in self._groups.values() if (group.key.agent, group.key.shape) == (key.agent, key.shape)
        ]
        return next((found for group in reversed(groups) if (found := group.lineages.get(first)) is not None), None)

    def elsewhere(self, key: GroupKey, keys: Sequence[bytes], wires: Sequence[bytes]) -> tuple[Sent | None, int]:
        """The request that this one goes on from where the opening of its system prompt is another.

        Then it has another shape and is no conversation that is known, but to call it a first request would hide what
        the client changed. It goes on from one of the same agent that offers the same tools (`wires`, see
        `HeadState`) and shares an answer with it.
        """
        best: Sent | None = None
        depth = 2
        who = key.session, key.agent, key.front
        for other, group in self._groups.items():
            if (other.session, other.agent, other.front) == who and (lineage := group.find(keys)) is not None:
                sent, shared = lineage.predecessor(keys)
                if sent is not None and shared >= depth and sent.head.wires == wires:
                    best, depth = sent, shared
        return best, depth if best is not None else 0

    def sibling(self, key: GroupKey) -> Sent | None:
        """The latest request of any conversation with this shape: one that is new could share its head."""
        return self._latest.get(key.front.encode() + key.shape)

    def stand(self, group: Group, lineage: Lineage, turns: Sequence[Standing], head: HeadState) -> HeadState:
        """Note what goes upstream; gives back the head as it is kept (equal heads are kept once)."""
        for turn in turns:
            old = lineage.standing.get(turn.key)
            lineage.standing[turn.key] = turn
            lineage.loose[turn.loose] = turn.key
            if turn.key in group.lineages:
                group.loose[turn.loose] = turn.key
            self._size += _held(turn) - (_held(old) if old else 0)
            self._weight += _held(turn) + TURN_BYTES - (_held(old) + TURN_BYTES if old else 0)
        if (known := self._heads.get(head.key)) is not None:
            same = {name: value for name in LARGE if (value := getattr(known, name)) == getattr(head, name)}
            head = structs.replace(head, **same)
        self._heads[head.key] = head
        lineage.head = head
        if self._weight > self._limit:
            self._shrink(lineage)
        if len(self._heads) > 1024:
            used = {one.head.key for one in self.lineages() if one.head is not None}
            self._heads = {key: known for key, known in self._heads.items() if key in used}
        return head

    def sent(self, key: GroupKey, lineage: Lineage, sent: Sent) -> list[Sent]:
        """Note a request that was answered. One that failed leaves nothing to go on from but what stood before it.

        Gives back the requests that nothing goes on from any more.
        """
        if sent.keys and sent.prompt_tokens is not None:
            lineage.points[sent.keys[-1]] = sent.prompt_tokens
        if sent.options.diagnose is not None:  # it may be named again
            self._named[sent.record] = lineage, sent
            if len(self._named) > _KEPT_NAMED:
                self._named.popitem(last=False)
        self._latest[key.front.encode() + key.shape] = sent
        self._latest.move_to_end(key.front.encode() + key.shape)
        if len(self._latest) > _KEPT_LATEST:
            self._latest.popitem(last=False)
        lineage.origin = None
        rest = [old for old in lineage.requests if not (old.keys and sent.keys[: len(old.keys)] == old.keys)]
        before, lineage.requests = lineage.requests, [sent, *rest][:_KEPT_SENT]
        return [old for old in before if all(old is not one for one in lineage.requests)]

    def answered(self, lineage: Lineage, record: str) -> Sent | None:
        """The request with this record, if a client may name it still: one of this conversation's latest, or one that
        asked to be compared itself."""
        own = next((sent for sent in lineage.requests if sent.record == record), None)
        return own or self._named.get(record, (lineage, None))[1]

    # Bounds -----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes of upstream text held."""
        return self._size + sum(len(head.system) + len(head.tools) for head in self._heads.values())

    def groups(self) -> Iterator[Group]:
        """All groups, the one used longest ago first."""
        yield from self._groups.values()

    def lineages(self) -> Iterator[Lineage]:
        """All conversations, the one used longest ago first."""
        for group in self._groups.values():
            yield from dict.fromkeys(group.lineages.values())

    def _enter(self, group: Group, first: bytes, lineage: Lineage) -> None:
        if first not in lineage.firsts:
            lineage.firsts.append(first)
        group.lineages[first] = lineage
        group.lineages.move_to_end(first)

    def _shrink(self, current: Lineage) -> None:
        """Let the conversations go that were used longest ago, but never the one at work."""
        for key, group in list(self._groups.items()):
            for lineage in list(group.lineages.values()):
                if self._weight <= self._limit:
                    break
                if lineage is not current and lineage in group.lineages.values():
                    group.lineages = OrderedDict(pair for pair in group.lineages.items() if pair[1] is not lineage)
                    self._size -= lineage.bytes()
                    self._weight -= lineage.weight()
                    self._named = OrderedDict(pair for pair in self._named.items() if pair[1][0] is not lineage)
            if self._weight <= self._limit:
                break
            if not group.lineages:
                del self._groups[key]


def _held(turn: Standing) -> int:
    return len(turn.chunk) + len(turn.raw)


def _overlapping(group: Group, wires: Sequence[bytes]) -> Lineage | None:
    """The conversation of whose latest request the most messages are said again; None when that is less than half."""
    now = set(wires)
    best: Lineage | None = None
    most = 1
    for lineage in group.lineages.values():
        for sent in lineage.requests[:1]:
            shared = len(now.intersection(sent.trail.wires))
            if shared > most and 2 * shared >= min(len(now), len(sent.trail.wires)):
                best, most = lineage, shared
    return best
