"""What the server generated, kept to be replayed when the client echoes it: each answer once, bounded."""

from __future__ import annotations

from collections import OrderedDict

from keepwarm.core import digest
from keepwarm.core.answer import Answer, stays_unique
from keepwarm.session.lineage import GroupKey

KEPT_ANSWERS = 20_000
KEPT_BYTES = 64 * 1024 * 1024


class Answers:
    """Answers by the names under which a client may echo them: ids of tool calls, or else the text."""

    def __init__(self, count: int = KEPT_ANSWERS, limit: int = KEPT_BYTES) -> None:
        self._count = count
        self._limit = limit
        self._bytes = 0
        self._next = 0
        self._kept: OrderedDict[int, tuple[Answer, list[str]]] = OrderedDict()
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def remember(self, key: GroupKey, answer: Answer) -> None:
        """Keep an answer; one of the same name that was kept before goes."""
        names = _names(key, answer)
        for name in names:
            self._forget(self._numbers.get(name))
        if not names:
            return
        self._next += 1
        self._kept[self._next] = answer, names
        self._numbers |= dict.fromkeys(names, self._next)
        self._bytes += _weight(answer)
        while self._bytes > self._limit or len(self._kept) > self._count:
            self._forget(next(iter(self._kept)))

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held a tool call."""
        return self._find(call_id)

    def by_text(self, key: GroupKey, text: str) -> Answer | None:
        """The answer of this group whose text was this, white space at its ends aside."""
        return self._find(_text_name(key, text))

    def _find(self, name: str) -> Answer | None:
        number = self._numbers.get(name)
        return None if number is None else self._kept[number][0]

    def _forget(self, number: int | None) -> None:
        if number is not None:
            answer, names = self._kept.pop(number)
            self._bytes -= _weight(answer)
            for name in names:
                del self._numbers[name]


class Recollection:
    """What the server generated, as one conversation may ask for it."""

    __slots__ = ("_answers", "_key")

    def __init__(self, answers: Answers, key: GroupKey) -> None:
        self._answers = answers
        self._key = key

    def by_call(self, call_id: str) -> Answer | None:
        """The answer that held the tool call with this id."""
        return self._answers.by_call(call_id)

    def by_text(self, text: str) -> Answer | None:
        """The answer whose text was this, white space at its ends aside."""
        return self._answers.by_text(self._key, text)


def _names(key: GroupKey, answer: Answer) -> list[str]:
    if answer.calls:
        # Where the client has the server's own ids, a server that says call_0 in every turn names no call by it.
        return list(dict.fromkeys(call.id for call in answer.calls if stays_unique(call.id)))
    return [_text_name(key, answer.text)] if answer.text.strip() else []


def _text_name(key: GroupKey, text: str) -> str:
    return digest.chain(key.packed(), digest.of_text(text.strip())).hex()


def _weight(answer: Answer) -> int:
    return len(answer.text) + len(answer.thinking) + sum(len(call.arguments) for call in answer.calls)
