"""The journal: what went upstream for each turn of each conversation, and what the server generated.

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
from keepwarm.core.answer import Answer
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing

DEFAULT_BYTES = 1024 * 1024 * 1024
_KEPT_SENT = 8
_KEPT_FACTS = 400_000
_KEPT_ANSWERS = 20_000
_ANSWER_BYTES = 64 * 1024 * 1024
_SHARED = ("head", "system", "tools", "shown")
"""The large parts of a head, kept once however many conversations send them."""


class Facts(msgspec.Struct, frozen=True):
    """What is known of a message by the digest of its bytes."""

    identity: bytes
    role: str


class Lineage:
    """One conversation: its turns that went upstream, its latest requests, its name."""

    __slots__ = ("count", "head", "id", "requests", "standing")

    def __init__(self, name: str) -> None:
        self.id = name
        self.standing: dict[bytes, Standing] = {}
        self.requests: list[Sent] = []
        """The latest first, at most one for each branch, eight in all."""
        self.head: HeadState | None = None
        """The head that went upstream last."""
        self.count = 0
        """Requests so far."""

    def predecessor(self, keys: Sequence[bytes]) -> tuple[Sent | None, int]:
        """The request that this one goes on from, and how many leading turns they share."""
        best: Sent | None = None
        depth = 0
        for sent in self.requests:
            shared = sent.shared(keys)
            if best is None or shared > depth:
                best, depth = sent, shared
        return best, depth

    def bytes(self) -> int:
        """Bytes of upstream text it holds."""
        return sum(len(turn.chunk) for turn in self.standing.values())


class Group:
    """The conversations of one agent of one session with one shape."""

    __slots__ = ("key", "lineages", "size")

    def __init__(self, key: GroupKey) -> None:
        self.key = key
        self.lineages: OrderedDict[bytes, Lineage] = OrderedDict()
        """By the chain digest of the first turn."""
        self.size = 0

    def find(self, keys: Sequence[bytes]) -> Lineage | None:
        """The lineage that these turns belong to; None when the conversation is new."""
        return self.lineages.get(keys[0]) if keys else None


class Journal:
    """All that stands, for one upstream."""

    def __init__(self, limit: int = DEFAULT_BYTES) -> None:
        self._limit = limit
        self._size = 0
        self._facts: OrderedDict[bytes, Facts] = OrderedDict()
        self._groups: OrderedDict[GroupKey, Group] = OrderedDict()
        self._calls: OrderedDict[str, Answer] = OrderedDict()
        self._texts: OrderedDict[bytes, Answer] = OrderedDict()
        self._answer_bytes = 0
        self._heads: dict[bytes, HeadState] = {}
        self._main: OrderedDict[str, bytes] = OrderedDict()

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

    def lineage(self, group: Group, keys: Sequence[bytes]) -> Lineage:
        """The conversation of these turns, made when it is new."""
        found = group.find(keys)
        if found is None:
            first = keys[0] if keys else b""
            found = group.lineages[first] = Lineage(digest.chain(_packed(group.key), first).hex())
        group.lineages.move_to_end(keys[0] if keys else b"")
        return found

    def stand(self, group: Group, lineage: Lineage, turns: Sequence[Standing], head: HeadState) -> HeadState:
        """Note what goes upstream; gives back the head as it is kept (equal heads are kept once)."""
        for turn in turns:
            old = lineage.standing.get(turn.key)
            lineage.standing[turn.key] = turn
            grown = len(turn.chunk) - (len(old.chunk) if old else 0)
            group.size += grown
            self._size += grown
        if (known := self._heads.get(head.key)) is not None:
            same = {name: value for name in _SHARED if (value := getattr(known, name)) == getattr(head, name)}
            head = structs.replace(head, **same)
        self._heads[head.key] = head
        lineage.head = head
        self._shrink(group)
        return head

    def sent(self, lineage: Lineage, sent: Sent) -> None:
        """Note a request that went upstream (again, with its usage, when its answer is there)."""
        tail = sent.keys[-1] if sent.keys else b""
        rest = [
            old
            for old in lineage.requests
            if old.record != sent.record and not (old.keys and sent.keys[: len(old.keys)] == old.keys)
        ]
        lineage.requests = [sent, *rest][:_KEPT_SENT]
        if tail and tail not in lineage.standing:  # its text was let go meanwhile
            lineage.requests = rest

    # What the server generated ------------------------------------------------------------------------

    def remember(self, key: GroupKey, answer: Answer) -> None:
        """Keep an answer, to be replayed when the client echoes it."""
        for call in answer.calls:
            self._calls[call.id] = answer
        if not answer.calls and answer.text.strip():
            self._texts[_text_key(key, answer.text)] = answer
        self._answer_bytes += _weight(answer)
        while self._answer_bytes > _ANSWER_BYTES or len(self._calls) > _KEPT_ANSWERS:
            if not self._forget_one():
                break

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held a tool call."""
        return self._calls.get(call_id)

    def by_text(self, key: GroupKey, text: str) -> Answer | None:
        """The answer of this group whose text was this."""
        return self._texts.get(_text_key(key, text))

    def _forget_one(self) -> bool:
        store: OrderedDict[str, Answer] | OrderedDict[bytes, Answer]
        store = self._calls if len(self._calls) >= len(self._texts) else self._texts
        if not store:
            return False
        _, answer = store.popitem(last=False)
        for call in answer.calls:
            self._calls.pop(call.id, None)
        self._answer_bytes -= _weight(answer)
        return True

    # Bounds -----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes of upstream text held."""
        return self._size + sum(len(head.system) + len(head.tools) for head in self._heads.values())

    def lineages(self) -> Iterator[Lineage]:
        """All conversations, the one used longest ago first."""
        for group in self._groups.values():
            yield from group.lineages.values()

    def _shrink(self, current: Group) -> None:
        """Let the conversations go that were used longest ago, but never the group at work."""
        while self._size > self._limit and len(self._groups) > 1:
            key, group = next(iter(self._groups.items()))
            if group is current:
                break
            del self._groups[key]
            self._size -= group.size
        if len(self._heads) > 1024:
            used = {lineage.head.key for lineage in self.lineages() if lineage.head is not None}
            self._heads = {key: head for key, head in self._heads.items() if key in used}


class Recollection:
    """What the server generated, as one conversation may ask for it."""

    __slots__ = ("_journal", "_key")

    def __init__(self, journal: Journal, key: GroupKey) -> None:
        self._journal = journal
        self._key = key

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held the tool call with this id."""
        return self._journal.by_call(call_id)

    def by_text(self, text: str) -> Answer | None:
        """The answer whose text was this, white space at its ends aside."""
        return self._journal.by_text(self._key, text)


def _text_key(key: GroupKey, text: str) -> bytes:
    return digest.chain(_packed(key), digest.of_text(text.strip()))


def _packed(key: GroupKey) -> bytes:
    return digest.of_text(key.session, key.agent) + key.shape


def _weight(answer: Answer) -> int:
    return len(answer.text) + len(answer.thinking) + sum(len(call.arguments) for call in answer.calls)
