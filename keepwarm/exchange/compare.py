"""Where a request parts from the one that it goes on from, in the client's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from keepwarm.core import digest
from keepwarm.core.diff import Difference, common_prefix
from keepwarm.core.prompt import SystemBlock, Tool
from keepwarm.session.journal import Lineage
from keepwarm.session.lineage import HeadState, Sent, Trail

NONE = Difference("none")


def difference(
    before: Sent | None,
    head: HeadState,
    keys: Sequence[bytes],
    shared: int,
    trail: Trail,
    lineage: Lineage,
    leading: int = 0,
) -> Difference:
    """The first difference in the order in which models read: system, tools, then turns.

    before, shared  the request before and the leading turns that both have
    trail           this request's turns
    leading         messages of the client's that stand in front of them and are its system prompt
    """
    if before is None:
        return NONE
    if before.head.key != head.key:
        found = _system(before.head.head.system, head.head.system) or _tools(before.head.shown, head.shown)
        if found is not None:
            return found
    if shared >= min(len(before.keys), len(keys)):
        return NONE
    at = trail.at(shared + 1)
    step = trail.steps[at]
    old = lineage.standing.get(before.keys[shared])
    was, now = (turn.chunk.decode("utf-8", "replace") if turn else "" for turn in (old, step.turn))
    index = leading + (trail.steps[at - 1].end if at else 0)
    what = f"messages[{index}] ({step.role})"
    return Difference("turn", f"/messages/{index}", what, was, now, common_prefix(was, now), "changed")


def _system(before: tuple[SystemBlock, ...], after: tuple[SystemBlock, ...]) -> Difference | None:
    for old, new in zip(before, after, strict=False):
        if old.text != new.text:
            offset = common_prefix(old.text, new.text)
            what = f"system[{new.index}]" if new.index >= 0 else "system"
            return Difference("system", new.path, what, old.text, new.text, offset, "changed")
    if len(before) == len(after):
        return None
    kind = "added" if len(after) > len(before) else "removed"
    at = min(len(before), len(after))
    was, now = (blocks[at].text if at < len(blocks) else "" for blocks in (before, after))
    path = (after[at].pointer if at < len(after) else "") or f"/system/{at}"
    return Difference("system", path, f"system[{at}] ({kind})", was, now, 0, kind)


def _tools(before: tuple[Tool, ...], after: tuple[Tool, ...]) -> Difference | None:
    names = [[tool.name for tool in tools] for tools in (before, after)]
    if names[0] != names[1]:
        old, new = (set(row) for row in names)
        if old == new:
            return Difference(
                "tools", "/tools", "the order of the tools", ", ".join(names[0]), ", ".join(names[1]), 0, "reordered"
            )
        kind = "added" if new - old else "removed"
        changed = ", ".join(sorted((new - old) or (old - new)))
        at = next((t.index for t in after if t.name in new - old), len(after))
        return Difference("tools", f"/tools/{at}", f"the tools ({changed} {kind})", "", "", 0, kind)
    for old_tool, new_tool in zip(before, after, strict=True):
        if digest.of_tool(old_tool) != digest.of_tool(new_tool):
            was, now = (f"{t.description}\n{t.schema.decode('utf-8', 'replace')}" for t in (old_tool, new_tool))
            offset = common_prefix(was, now)
            what = f"the tool {new_tool.name}"
            return Difference("tools", f"/tools/{new_tool.index}", what, was, now, offset, "changed")
    return None
