"""Where a request parts from the one that it goes on from, in the client's own coordinates.

All places, in the order in which models read: what is asked for, system, tools, then turns. The first one costs the
most, since all that stands behind it is lost; but which of them cost anything only the server's counts tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core import digest
from keepwarm.core.answer import Answer
from keepwarm.core.diff import Difference, common_prefix, hunks
from keepwarm.core.prompt import Message, Options, SystemBlock, Text, Thinking, Tool, ToolUse, Turn
from keepwarm.core.sketch import Change, changes, sketch
from keepwarm.rules.api import Rule
from keepwarm.rules.codes import CODES
from keepwarm.session.lineage import HeadState, Sent, Standing, Step, Trail
from keepwarm.wire.api import Front

NONE = Difference("none")
MOST = 32
"""Differences that are looked for."""


class Now(msgspec.Struct, frozen=True):
    """The request that is compared with the one before it."""

    options: Options
    head: HeadState
    trail: Trail
    front: Front
    leading: int = 0
    """Messages of the client's that stand in front of the turns and are its system prompt."""
    known: tuple[Rule, ...] = tuple(CODES.values())
    """The rules whose edits may stand in a turn."""
    anew: bool = False
    """It begins a conversation in the place of the older one: no turn is compared with one of the other."""
    read: Callable[[str], str] = str
    """See `Dialect.read`."""


class Comparison:
    """A request beside the one that it goes on from. They are compared when somebody asks, which is after the answer:
    what goes upstream does not hang on it."""

    def __init__(self, before: Sent | None = None, now: Now | None = None, *, head_only: bool = False) -> None:
        self._before = before
        self._now = now
        self._head_only = head_only

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """All places where the two part, in the order in which models read."""
        if self._before is None or self._now is None:
            return ()
        if self._head_only:
            return head_differences(self._before, self._now, max(1, self._before.head.size))
        return differences(self._before, self._now)


def differences(before: Sent | None, now: Now) -> tuple[Difference, ...]:
    """Every place where the two part; none when the older one is a prefix of the newer."""
    if before is None:
        return ()
    found = list(head_differences(before, now, max(1, before.size)))
    for difference in _turns(before, now):
        if len(found) >= MOST:
            break
        found.append(difference)
    return tuple(found)


def head_differences(before: Sent, now: Now, size: int) -> tuple[Difference, ...]:
    """Where two requests part before their first turn; `size` is what the shares are of."""
    found = [*_options(before.options, now.options)]
    if before.head.key != now.head.key:
        old, new = before.head, now.head
        found += _system(old, new, size, now.read)
        found += _tools(old, new, size)
    return tuple(found)


def _length(blocks: Sequence[SystemBlock]) -> int:
    return sum(len(block.text) for block in blocks)


def _tool_length(tool: Tool) -> int:
    return len(tool.schema) + len(tool.description)


def _options(before: Options, after: Options) -> Iterator[Difference]:
    for path, was, now in (
        ("/model", before.model, after.model),
        ("/tool_choice", before.tool_choice or "auto", after.tool_choice or "auto"),
        ("/thinking", str(before.thinking), str(after.thinking)),
    ):
        if was != now:
            yield Difference("options", path, path[1:], was, now, common_prefix(was, now), "changed")


def _system(before: HeadState, after: HeadState, size: int, read: Callable[[str], str]) -> Iterator[Difference]:
    blocks = [[one for one in state.head.system if not one.text or read(one.text)] for state in (before, after)]
    tools = sum(map(_tool_length, before.shown))
    passed = 0

    def at(offset: int = 0) -> tuple[float, float]:
        return (passed + offset) / size, (passed + offset + tools) / size

    for old, new in zip(*blocks, strict=False):
        if old.text != new.text:
            what = f"system[{new.index}]" if new.index >= 0 else "system"
            was, now = read(old.text), read(new.text)
            lead = min(len(old.text) - len(was), len(new.text) - len(now))  # what the server takes out itself
            texts = old.text[len(old.text) - len(was) - lead :], new.text[len(new.text) - len(now) - lead :]
            for offset in hunks(was, now) if was != now else ():
                place = lead + offset
                yield Difference("system", new.path, what, *texts, place, "changed", *at(place))
        passed += len(old.text)
    if len(blocks[0]) != len(blocks[1]):
        kind = "added" if len(blocks[1]) > len(blocks[0]) else "removed"
        place = min(map(len, blocks))
        was, now = (row[place].text if place < len(row) else "" for row in blocks)
        path = (blocks[1][place].pointer if place < len(blocks[1]) else "") or f"/system/{place}"
        yield Difference("system", path, f"system[{place}] ({kind})", was, now, 0, kind, *at())


def _tools(before: HeadState, after: HeadState, size: int) -> Iterator[Difference]:
    system = _length(before.head.system)
    old, new = before.shown, after.shown
    names = [[tool.name for tool in tools] for tools in (old, new)]

    def at(place: int, offset: int = 0) -> tuple[float, float]:
        passed = sum(map(_tool_length, old[:place])) + offset
        return passed / size, (passed + system) / size

    if names[0] != names[1]:
        were, are = (set(row) for row in names)
        share = at(common_prefix(*names))
        if were == are:
            was, now = (", ".join(row) for row in names)
            yield Difference("tools", "/tools", "the order of the tools", was, now, 0, "reordered", *share)
        else:
            kind = "added" if are - were else "removed"
            changed = ", ".join(sorted((are - were) or (were - are)))
            index = next((tool.index for tool in new if tool.name in are - were), len(new))
            yield Difference("tools", f"/tools/{index}", f"the tools ({changed} {kind})", "", "", 0, kind, *share)
    known = {tool.name: place for place, tool in enumerate(old)}
    for tool in new:
        place = known.get(tool.name, -1)
        if place < 0 or (old[place].description, old[place].schema) == (tool.description, tool.schema):
            continue
        was, now = (f"{one.description}\n{one.schema.decode('utf-8', 'replace')}" for one in (old[place], tool))
        offset = common_prefix(was, now)
        kind = "keys" if digest.of_tool(old[place]) == digest.of_tool(tool) else "changed"
        share = at(place, offset)
        yield Difference("tools", f"/tools/{tool.index}", f"the tool {tool.name}", was, now, offset, kind, *share)


def _turns(before: Sent, now: Now) -> Iterator[Difference]:
    same = common_prefix(before.trail.steps, now.trail.steps)  # by far most of them: the same objects
    starts = [now.leading + start for start in _starts(now.trail, same)]
    old, new = ([step for step in trail.steps[same:] if step.turn.key] for trail in (before.trail, now.trail))
    size = max(1, before.size)
    head = before.head.size
    passed = before.trail.steps[same - 1].size if same else 0
    edited = False
    for place, (one, other) in enumerate(zip(old, new, strict=False)):
        if place == len(new) - 1 and other.role != "assistant" and not now.anew:
            break  # the newest turn is no history: it went back to say it
        if _same(one.turn, other.turn):
            continue
        share = (head + (old[place - 1].size if place else passed)) / size, (head + one.size) / size
        if now.anew or one.role != other.role or not one.turn.marks or not other.turn.marks:
            found = [Change("content", 0, 0, "")]
        else:
            found = changes(one.turn.marks, other.turn.marks)
        for change in found:
            difference = _turn(one.turn, other, starts[place], change, share, now.front)
            if not _is_mended(difference, other.turn, now.known):
                yield difference
        edited = edited or any(change.kind == "content" for change in found)
        if now.anew:
            return
    # Behind other words stands another answer: how that one compares with this says nothing.
    if not edited and before.answer is not None and len(new) > len(old):
        echo = new[len(old)]
        for difference in _echo(before.answer, echo, starts[len(old)], now.front):
            if not _is_mended(difference, echo.turn, now.known):
                yield difference


def _starts(trail: Trail, after: int) -> list[int]:
    """The index of the first message of each turn behind the first `after` ones, in which something is said."""
    steps = trail.steps[after:]
    ends = [trail.steps[after - 1].end if after else 0, *(step.end for step in steps)]
    return [start for start, step in zip(ends, steps, strict=False) if step.turn.key]


def _same(one: Standing, other: Standing) -> bool:
    """Whether two turns went upstream alike; what differs in shape only does not count."""
    if one is other or (one.chunk and one.chunk == other.chunk):
        return True
    return not one.chunk and not other.chunk and one.marks == other.marks


def _turn(
    old: Standing, step: Step, start: int, change: Change, share: tuple[float, float], front: Front
) -> Difference:
    if old.chunk or step.turn.chunk:
        was, now = (_words(turn.chunk or turn.raw) for turn in (old, step.turn))
    else:
        was = _text(old, change.old or (change.message, change.place), front)
        now = _text(step.turn, (change.message, change.place), front)
    return _difference(change, change.kind, start, step, (was, now), share)


def _echo(answer: Answer, step: Step, start: int, front: Front) -> Iterator[Difference]:
    """Where an answer comes back otherwise than it was generated."""
    if step.role != "assistant":
        return
    generated, marks = sketch(Turn((_generated(answer),)), front.pointer), step.turn.marks
    if sum(mark.kind == "text" for mark in marks) > 1:  # words between calls: an answer is known as one text
        generated, marks = (tuple(mark for mark in row if mark.kind != "text") for row in (generated, marks))
    calls = {mark.strict for mark in marks if mark.kind == "call"}
    for change in changes(generated, marks):
        kind: str = change.kind
        if kind == "content":
            # A call is known by its id: whatever the client made of its arguments, it is that call.
            kind = "arguments" if change.come in calls and change.gone else kind if answer.reason else "cut"
        texts = (answer.text, _words(step.turn.chunk or step.turn.raw))
        yield _difference(change, kind, start, step, texts, (1.0, 1.0))


def _difference(
    change: Change, kind: str, start: int, step: Step, texts: tuple[str, str], share: tuple[float, float]
) -> Difference:
    index = start + change.message
    path = f"/messages/{index}{change.path}"
    return Difference("turn", path, f"messages[{index}] ({step.role})", *texts, common_prefix(*texts), kind, *share)


def _is_mended(difference: Difference, turn: Standing, known: Sequence[Rule]) -> bool:
    """Whether a rule has undone this: then the client's version has it, and what went upstream has not."""
    codes = {note.code for note in turn.notes}
    return any(rule.names is not None and rule.names(difference) for rule in known if rule.code in codes)


def _generated(answer: Answer) -> Message:
    calls = tuple(ToolUse(call.id, call.name, call.arguments) for call in answer.calls)
    thinking = (Thinking(answer.thinking),) if answer.thinking else ()
    words = (Text(answer.text),) if answer.text else ()
    return Message("assistant", (*thinking, *words, *calls), 0)


def _text(turn: Standing, at: tuple[int, int], front: Front) -> str:
    """The words of a block of a turn whose bytes are kept."""
    number, place = at
    try:
        raws = msgspec.json.decode(b"[" + turn.raw + b"]", type=list[msgspec.Raw])
        blocks = front.message(bytes(raws[number]), number).blocks if number < len(raws) else ()
    except UNREADABLE:
        return ""
    if place >= len(blocks):
        return ""
    block = blocks[place]
    return block.text if isinstance(block, Text | Thinking) else _words(block.raw)


def _words(raw: bytes) -> str:
    """The strings in a JSON text, or a row of them, one behind the other."""
    try:
        value = msgspec.json.decode(b"[" + raw + b"]")
    except UNREADABLE:
        return ""
    return "\n".join(_strings(value))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
