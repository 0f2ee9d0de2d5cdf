"""What the server generated, kept to be replayed when the client echoes it: each answer once, bounded."""

from __future__ import annotations

from collections import OrderedDict

from keepwarm.core import digest
from keepwarm.core.answer import Answer, stays_unique
from keepwarm.session.lineage import GroupKey

KEPT_ANSWERS = 20_000
KEPT_BYTES = 64 * 1024 * 1024


class Answers:
    """Answers by the names under which a client may echo them: ids of tool calls, or else the text.

    A text is named twice, by the turns that it answers and alone: conversations side by side may all say "Done.", and
    each means its own; but one whose history the client has rewritten is found by its text still.
    """

    def __init__(self, count: int = KEPT_ANSWERS, limit: int = KEPT_BYTES) -> None:
        self._count = count
        self._limit = limit
        self._bytes = 0
        self._next = 0
        self._kept: OrderedDict[int, tuple[Answer, set[str]]] = OrderedDict()
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def remember(self, key: GroupKey, answer: Answer, after: bytes = b"") -> None:
        """Keep an answer to the turns with the chain digest `after`; older ones lose the names that it has."""
        self._keep(answer, _names(key, answer, after))

    def remember_cut(self, key: GroupKey, answer: Answer, after: bytes = b"") -> None:
        """Keep an answer that broke off: it is known by what it answers alone, since the client may have less of it."""
        if answer.text.strip():
            self._keep(answer, {_cut_name(key, after)})

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held a tool call."""
        return self._find(call_id)

    def to_turns(self, key: GroupKey, call_id: str, after: bytes) -> Answer | None:
        """The answer to these turns that held a tool call, whose id may be another's too."""
        return self._find(_call_name(key, call_id, after))

    def cut(self, key: GroupKey, after: bytes) -> Answer | None:
        """The latest answer to these turns that broke off."""
        return self._find(_cut_name(key, after))

    def by_text(self, key: GroupKey, text: str, after: bytes = b"") -> Answer | None:
        """The answer of this group whose text was this, white space at its ends aside; best the one to these turns."""
        return self._find(_text_name(key, text, after)) or self._find(_text_name(key, text))

    def _keep(self, answer: Answer, names: set[str]) -> None:
        for name in names:
            self._take_away(name)
        if not names:
            return
        self._next += 1
        self._kept[self._next] = answer, names
        self._numbers |= dict.fromkeys(names, self._next)
        self._bytes += _weight(answer)
        while self._bytes > self._limit or len(self._kept) > self._count:
            for name in tuple(next(iter(self._kept.values()))[1]):
                self._take_away(name)

    def _find(self, name: str) -> Answer | None:
        number = self._numbers.get(name)
        return None if number is None else self._kept[number][0]

    def _take_away(self, name: str) -> None:
        """Take a name from the answer that has it; one without a name goes."""
        number = self._numbers.pop(name, None)
        if number is None:
            return
        answer, names = self._kept[number]
        names.discard(name)
        if not names:
            del self._kept[number]
            self._bytes -= _weight(answer)


class Recollection:
    """What the server generated, as the turn behind those with the chain digest `after` may ask for it.

    calls  the ids of the tool calls that the turn before made, in their order
    """

    __slots__ = ("_after", "_answers", "_key", "calls")

    def __init__(self, answers: Answers, key: GroupKey, after: bytes = b"", calls: tuple[str, ...] = ()) -> None:
        self.calls = calls
        self._answers = answers
        self._key = key
        self._after = after

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held the tool call with this id."""
        return self._answers.by_call(call_id) or self._answers.to_turns(self._key, call_id, self._after)

    def by_text(self, text: str) -> Answer | None:
        """The answer whose text was this, white space at its ends aside."""
        return self._answers.by_text(self._key, text, self._after)

    def cut(self) -> Answer | None:
        """The answer that broke off at this place."""
        return self._answers.cut(self._key, self._after)


def _names(key: GroupKey, answer: Answer, after: bytes) -> set[str]:
    if answer.calls:
        # Where the client has the server's own ids, a server that says call_0 in every turn names no call by it alone.
        return {call.id if stays_unique(call.id) else _call_name(key, call.id, after) for call in answer.calls}
    if not answer.text.strip():
        return set()
    return {_text_name(key, answer.text), _text_name(key, answer.text, after)}


def _text_name(key: GroupKey, text: str, after: bytes = b"") -> str:
    return digest.chain(key.packed() + after, digest.of_text(text.strip())).hex()


def _call_name(key: GroupKey, call_id: str, after: bytes) -> str:
    return digest.chain(key.packed() + after, b"call " + digest.of_text(call_id)).hex()


def _cut_name(key: GroupKey, after: bytes) -> str:
    return digest.chain(key.packed() + after, b"cut off").hex()


def _weight(answer: Answer) -> int:
    return len(answer.text) + len(answer.thinking) + sum(len(call.arguments) for call in answer.calls)
