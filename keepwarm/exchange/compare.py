"""Where a request parts from the one that it goes on from, in the client's own coordinates.

All places, in the order in which models read: what is asked for, system, tools, then turns. The first one costs the
most, since all that stands behind it is lost; but which of them cost anything only the server's counts tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.core import digest
from keepwarm.core.answer import Answer
from keepwarm.core.diff import Difference, common_prefix, hunks
from keepwarm.core.prompt import Message, Options, SystemBlock, Text, Thinking, Tool, ToolUse, Turn
from keepwarm.core.sketch import Change, changes, sketch
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


def differences(before: Sent | None, now: Now) -> tuple[Difference, ...]:
    """Every place where the two part; none when the older one is a prefix of the newer."""
    if before is None:
        return ()
    found = [*_options(before.options, now.options)]
    if before.head.key != now.head.key:
        size = max(1, before.size)
        old, new = before.head, now.head
        found += _system(old.head.system, new.head.system, size)
        found += _tools(old.shown, new.shown, _length(old.head.system), size)
    for difference in _turns(before, now):
        if len(found) >= MOST:
            break
        found.append(difference)
    return tuple(found)


def head_size(head: HeadState) -> int:
    """Characters and bytes of a head, about."""
    return sum(map(_tool_length, head.shown)) + _length(head.head.system)


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


def _system(before: tuple[SystemBlock, ...], after: tuple[SystemBlock, ...], size: int) -> Iterator[Difference]:
    passed = 0
    for old, new in zip(before, after, strict=False):
        if old.text != new.text:
            what = f"system[{new.index}]" if new.index >= 0 else "system"
            for offset in hunks(old.text, new.text):
                share = (passed + offset) / size
                yield Difference("system", new.path, what, old.text, new.text, offset, "changed", share)
        passed += len(old.text)
    if len(before) != len(after):
        kind = "added" if len(after) > len(before) else "removed"
        at = min(len(before), len(after))
        was, now = (blocks[at].text if at < len(blocks) else "" for blocks in (before, after))
        path = (after[at].pointer if at < len(after) else "") or f"/system/{at}"
        yield Difference("system", path, f"system[{at}] ({kind})", was, now, 0, kind, passed / size)


def _tools(before: tuple[Tool, ...], after: tuple[Tool, ...], passed: int, size: int) -> Iterator[Difference]:
    names = [[tool.name for tool in tools] for tools in (before, after)]
    same = common_prefix(*names)
    share = (passed + sum(map(_tool_length, before[:same]))) / size
    if names[0] != names[1]:
        old, new = (set(row) for row in names)
        if old == new:
            was, now = (", ".join(row) for row in names)
            yield Difference("tools", "/tools", "the order of the tools", was, now, 0, "reordered", share)
        else:
            kind = "added" if new - old else "removed"
            changed = ", ".join(sorted((new - old) or (old - new)))
            at = next((t.index for t in after if t.name in new - old), len(after))
            yield Difference("tools", f"/tools/{at}", f"the tools ({changed} {kind})", "", "", 0, kind, share)
    known = {tool.name: (tool, place) for place, tool in enumerate(before)}
    for tool in after:
        old_tool, place = known.get(tool.name, (tool, 0))
        if (old_tool.description, old_tool.schema) != (tool.description, tool.schema):
            was, now = (f"{t.description}\n{t.schema.decode('utf-8', 'replace')}" for t in (old_tool, tool))
            offset = common_prefix(was, now)
            share = (passed + sum(map(_tool_length, before[:place])) + offset) / size
            kind = "keys" if digest.of_tool(old_tool) == digest.of_tool(tool) else "changed"
            yield Difference("tools", f"/tools/{tool.index}", f"the tool {tool.name}", was, now, offset, kind, share)


def _turns(before: Sent, now: Now) -> Iterator[Difference]:
    old, new = ([step for step in trail.steps if step.turn.key] for trail in (before.trail, now.trail))
    starts = [now.leading + start for start in _starts(now.trail)]
    size = max(1, before.size)
    head = head_size(before.head)
    for place, (one, other) in enumerate(zip(old, new, strict=False)):
        if _same(one.turn, other.turn):
            continue
        share = (head + (old[place - 1].size if place else 0)) / size
        if one.role != other.role or not one.turn.marks or not other.turn.marks:
            found = [Change("content", 0, 0, "")]
        else:
            found = changes(one.turn.marks, other.turn.marks)
        for change in found:
            difference = _turn(one.turn, other, starts[place], change, share, now.front)
            if not _is_mended(difference, other.turn):
                yield difference
    if before.answer is not None and len(new) > len(old):
        echo = new[len(old)]
        for difference in _echo(before.answer, echo, starts[len(old)]):
            if not _is_mended(difference, echo.turn):
                yield difference


def _starts(trail: Trail) -> list[int]:
    """The index of the first message of each turn in which something is said."""
    ends = [0, *(step.end for step in trail.steps)]
    return [start for start, step in zip(ends, trail.steps, strict=False) if step.turn.key]


def _same(one: Standing, other: Standing) -> bool:
    """Whether two turns went upstream alike; what differs in shape only does not count."""
    if one is other or (one.chunk and one.chunk == other.chunk):
        return True
    return not one.chunk and not other.chunk and one.marks == other.marks


def _turn(old: Standing, step: Step, start: int, change: Change, share: float, front: Front) -> Difference:
    if old.chunk or step.turn.chunk:
        was, now = (_words(turn.chunk or turn.raw) for turn in (old, step.turn))
    else:
        was = _text(old, change.old or (change.message, change.place), front) if change.gone else ""
        now = _text(step.turn, (change.message, change.place), front) if change.come else ""
    return _difference(change, change.kind, start, step, (was, now), share)


def _echo(answer: Answer, step: Step, start: int) -> Iterator[Difference]:
    """Where an answer comes back otherwise than it was generated."""
    if step.role != "assistant":
        return
    said = _words(step.turn.chunk or step.turn.raw)
    generated, marks = sketch(Turn((_generated(answer),))), step.turn.marks
    if sum(mark.kind == "text" for mark in marks) > 1:  # words between calls: an answer is known as one text
        generated, marks = (tuple(mark for mark in row if mark.kind != "text") for row in (generated, marks))
    calls = {mark.strict for mark in marks if mark.kind == "call"}
    for change in changes(generated, marks):
        kind: str = change.kind
        if kind == "content":
            # A call is known by its id: whatever the client made of its arguments, it is that call.
            kind = "arguments" if change.come in calls and change.gone else kind if answer.reason else "cut"
        yield _difference(change, kind, start, step, (answer.text, said), 1.0)


def _difference(change: Change, kind: str, start: int, step: Step, texts: tuple[str, str], share: float) -> Difference:
    index = start + change.message
    path = f"/messages/{index}{change.path}"
    return Difference("turn", path, f"messages[{index}] ({step.role})", *texts, common_prefix(*texts), kind, share)


def _is_mended(difference: Difference, turn: Standing) -> bool:
    """Whether a rule has undone this: then the client's version has it, and what went upstream has not."""
    codes = {note.code for note in turn.notes}
    return any(rule.names is not None and rule.names(difference) for code, rule in CODES.items() if code in codes)


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
    return _words(blocks[place].raw) if place < len(blocks) else ""


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
