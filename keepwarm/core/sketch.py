"""What a turn is made of, without its words: enough to say how two versions of it differ.

A client sends the same turn again and again, and not always in the same words. What is noted of each block is a few
digests: *strict* is equal when the model reads the same, *loose* is equal when only that differs which clients change
without meaning it (white space, the key order of arguments, reminders that come and go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import structs

from keepwarm.core import digest
from keepwarm.core.prompt import Block, Message, Text, Thinking, ToolResult, ToolUse, Turn
from keepwarm.core.reminder import inside, without

MarkKind: TypeAlias = Literal["text", "reminder", "thinking", "call", "result", "other"]
ChangeKind: TypeAlias = Literal["reminder", "reasoning", "arguments", "order", "space", "content"]


Pointer: TypeAlias = Callable[[Message, int], str]
At: TypeAlias = tuple[int, int, str]


class Mark(msgspec.Struct, frozen=True, gc=False):
    """One block of a turn."""

    kind: MarkKind
    message: int
    """Which message of the turn it stands in, from 0."""
    place: int
    """Its place in that message's content."""
    path: str
    """JSON pointer to it below its message: "/content/2", "/content" where the content is one string."""
    strict: bytes
    loose: bytes
    key: str = ""
    """The id of a call, or of the call that a result answers."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One way in which a turn is not what it was."""

    kind: ChangeKind
    message: int
    """Where, in the newer version: the message of the turn, from 0."""
    place: int
    """And the block in it; where something is gone, the block that stands there now, or would."""
    path: str
    """JSON pointer to it below its message."""
    gone: bytes = b""
    """Strict digest of what is no longer there; b"" when nothing is gone."""
    come: bytes = b""
    """Strict digest of what is there now; b"" when nothing has come."""
    old: tuple[int, int] | None = None
    """(message, place) of it in the older version."""


class Loose(msgspec.Struct, frozen=True, gc=False):
    """What a message says, loosely: two that differ in nothing that matters have the same."""

    words: bytes = b""
    """Of all but its tool results; b"" when it says nothing else."""
    results: tuple[bytes, ...] = ()
    """Of each tool result: a turn may give them in any order."""


def marks_of(message: Message, pointer: Pointer | None = None) -> tuple[Mark, ...]:
    """The marks of a message; `pointer` says where a block stands in the client's protocol."""
    point = pointer or content_pointer
    return tuple(
        mark
        for place, block in enumerate(message.blocks)
        for mark in _block(message.role, block, (0, place, point(message, place)))
    )


def loose_of(role: str, marks: Iterable[Mark]) -> Loose:
    """A message as it is compared loosely. Reminders, thinking and system messages say nothing here."""
    words: list[bytes] = []
    results: list[bytes] = []
    for mark in marks:
        if mark.kind == "result":
            results.append(mark.loose)
        elif mark.kind not in ("reminder", "thinking") and mark.loose:
            words.append(mark.loose)
    said = digest.of_all((role.encode(), *words)) if words or role == "assistant" else b""
    return Loose(said, tuple(results))


def loose_turn(messages: Iterable[Loose]) -> bytes:
    """The loose identity of a turn from those of its messages."""
    row = tuple(messages)
    return digest.of_all(
        (*sorted(one for loose in row for one in loose.results), b"/", *(loose.words for loose in row))
    )


def inside_result(block: ToolResult) -> tuple[str, ...]:
    """The reminders in a tool result."""
    return tuple(text for part in block.content if isinstance(part, Text) for text in inside(part.text))


def content_pointer(message: Message, place: int) -> str:
    """JSON pointer to a block below its message, where blocks stand in `content` (Anthropic's Messages API)."""
    block = message.blocks[place]
    if isinstance(block, Text) and block.raw.startswith(b'"'):
        return "/content"
    return f"/content/{place}/input" if isinstance(block, ToolUse) else f"/content/{place}"


def together(rows: Iterable[tuple[Mark, ...]]) -> tuple[Mark, ...]:
    """The marks of a turn from those of its messages."""
    return tuple(
        mark if not number else structs.replace(mark, message=number)
        for number, marks in enumerate(rows)
        for mark in marks
    )


def sketch(turn: Turn, pointer: Pointer | None = None) -> tuple[Mark, ...]:
    """The marks of a turn."""
    return together(marks_of(message, pointer) for message in turn.messages)


def changes(old: Sequence[Mark], new: Sequence[Mark]) -> list[Change]:
    """How `new`, a later version of a turn, differs from `old`; in the order in which a model reads."""
    found = [*_loosely_there("reminder", old, new), *_loosely_there("thinking", old, new)]
    found += _keyed("result", old, new)
    found += _keyed("call", old, new)
    found += _row(old, new)
    # A reminder inside of what says something else now came or went with it.
    was = {change.old for change in found if change.kind == "content"}
    now = {(change.message, change.place) for change in found if change.kind == "content"}
    found = [
        change
        for change in found
        if change.kind != "reminder"
        or not (change.old in was if change.gone else (change.message, change.place) in now)
    ]
    return sorted(found, key=lambda change: (change.message, change.place))


def _block(role: str, block: Block, at: At) -> list[Mark]:
    match block:
        case Text(text):
            if role == "system":
                return [Mark("reminder", *at, digest.of_text(text), b"")] if text.strip() else []
            reminders = inside(text) if role != "assistant" else ()
            rest = without(text) if reminders else text
            own = [Mark("text", *at, digest.of_text(rest), _loosely(rest))]
            return [*(own if rest.strip() or not reminders else ()), *_reminders(reminders, at)]
        case Thinking(text):
            return [Mark("thinking", *at, digest.of_text(text), b"")] if text else []
        case ToolUse(id, name, arguments):
            loose = digest.of_text(id, name) + digest.of_loose_json(arguments.encode("utf-8", "surrogatepass"))
            return [Mark("call", *at, digest.of_block(block), loose, id)]
        case ToolResult():
            reminders = inside_result(block)
            return [_result(block, at, mixed=bool(reminders)), *_reminders(reminders, at)]
        case _:
            identity = digest.of_block(block)
            return [Mark("other", *at, identity, identity)]


def _result(block: ToolResult, at: At, *, mixed: bool) -> Mark:
    """A tool result without the reminders in it, of which there are some when it is `mixed`."""
    if mixed:
        kept = [structs.replace(one, text=without(one.text)) if isinstance(one, Text) else one for one in block.content]
        block = structs.replace(block, content=tuple(kept))
    words = [_loosely(part.text) if isinstance(part, Text) else digest.of_block(part) for part in block.content]
    return Mark("result", *at, digest.of_block(block), digest.of_all((digest.of_text(block.id), *words)), block.id)


def _reminders(texts: Iterable[str], at: At) -> list[Mark]:
    return [Mark("reminder", *at, digest.of_text(text), b"") for text in texts]


def _loosely(text: str) -> bytes:
    words = text.split()
    return digest.of_text(" ".join(words)) if words else b""


def _loosely_there(kind: MarkKind, old: Sequence[Mark], new: Sequence[Mark]) -> list[Change]:
    """What is gone and what has come of blocks that may come and go."""
    change: ChangeKind = "reminder" if kind == "reminder" else "reasoning"
    was, now = ([mark for mark in marks if mark.kind == kind] for marks in (old, new))
    gone = Counter(mark.strict for mark in was) - Counter(mark.strict for mark in now)
    come = Counter(mark.strict for mark in now) - Counter(mark.strict for mark in was)
    found = []
    for mark in was:
        if gone[mark.strict]:
            gone[mark.strict] -= 1
            found.append(_gone(change, mark, new))
    for mark in now:
        if come[mark.strict]:
            come[mark.strict] -= 1
            found.append(Change(change, mark.message, mark.place, mark.path, come=mark.strict))
    return found


def _gone(kind: ChangeKind, mark: Mark, new: Sequence[Mark]) -> Change:
    """A block that is no longer there: its place is where it stood; where its message is gone too, that of the next."""
    there = [one for one in new if one.message == mark.message]
    path = mark.path if there else ""
    if path.startswith("/content/") and any(one.path == "/content" for one in there):
        path = "/content"
    return Change(kind, mark.message, mark.place, path, gone=mark.strict, old=(mark.message, mark.place))


def _keyed(kind: MarkKind, old: Sequence[Mark], new: Sequence[Mark]) -> list[Change]:
    """Calls, or results, which are known by their ids."""
    was, now = ([mark for mark in marks if mark.kind == kind] for marks in (old, new))
    if [mark.key for mark in was] != [mark.key for mark in now]:
        at = next((pair for pair in zip(was, now, strict=False) if pair[0].key != pair[1].key), None)
        mark = at[1] if at is not None else (now or was)[min(len(now), len(was)) - 1]
        same = Counter(one.loose for one in was) == Counter(one.loose for one in now)
        return [_changed("order" if same else "content", at[0] if at else None, mark)]
    return [
        _changed("content" if one.loose != other.loose else "arguments" if kind == "call" else "space", one, other)
        for one, other in zip(was, now, strict=True)
        if one.strict != other.strict
    ]


def _row(old: Sequence[Mark], new: Sequence[Mark]) -> list[Change]:
    """Texts and whatever else stands in a row, without those that say nothing."""
    was, now = ([mark for mark in marks if mark.kind in ("text", "other")] for marks in (old, new))
    found = []
    if len(was) != len(now):
        found = [_changed("space", None, mark) for mark in now if not mark.loose]
        found += [_gone("space", mark, new) for mark in was if not mark.loose]
        was, now = ([mark for mark in marks if mark.loose] for marks in (was, now))
    for one, other in zip(was, now, strict=False):
        if one.strict != other.strict:
            found.append(_changed("space" if one.loose == other.loose else "content", one, other))
    if len(now) > len(was):
        extra = now[len(was)]
        found.append(Change("content", extra.message, extra.place, extra.path, come=extra.strict))
    elif len(was) > len(now):
        found.append(_gone("content", was[len(now)], new))
    return found


def _changed(kind: ChangeKind, old: Mark | None, new: Mark) -> Change:
    if old is None:
        return Change(kind, new.message, new.place, new.path, come=new.strict)
    return Change(kind, new.message, new.place, new.path, old.strict, new.strict, (old.message, old.place))
