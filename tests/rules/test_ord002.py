"""Late tools: held back where that spares the prefix, and only there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Tool
from keepwarm.rules.api import FirstSeen
from keepwarm.rules.ord002 import hold, names
from tests.rules.turns import tools


def seen(row: tuple[Tool, ...], *, asked: bool = True) -> FirstSeen:
    return FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in row), asked)


@given(tools, tools, st.booleans())
def test_what_is_left_is_what_was_known_or_everything(
    now: tuple[Tool, ...], before: tuple[Tool, ...], asked: bool
) -> None:
    fix = hold(now, seen(before, asked=asked))
    assert set(fix.value) <= set(now)
    if fix.edits:
        assert asked
        assert {tool.name for tool in fix.value} == {tool.name for tool in before}
        assert len(fix.edits) + len(fix.value) == len(now)
    else:
        assert fix.value is now


def test_a_first_request_shows_all() -> None:
    row = (Tool("A", "", b"{}", 0),)
    assert hold(row, FirstSeen((), hold=True)).value is row


def test_a_deferred_tool_is_not_held_back() -> None:
    row = (Tool("A", "", b"{}", 0), Tool("B", "", b"{}", 1, deferred=True), Tool("C", "", b"{}", 2))
    assert [tool.name for tool in hold(row, seen(row[:1])).value] == ["A", "B"]


def test_it_is_named_for_a_tool_that_came_went_or_changed() -> None:
    kinds = {
        kind: names(Difference("tools", kind=kind)) for kind in ("added", "removed", "changed", "reordered", "keys")
    }
    assert kinds == {"added": True, "removed": True, "changed": True, "reordered": False, "keys": False}
    assert not names(Difference("system", kind="changed"))
