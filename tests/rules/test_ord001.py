"""The order of tools: that of the first request, with what is new behind."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core import digest
from keepwarm.core.prompt import Tool
from keepwarm.rules.api import FirstSeen
from keepwarm.rules.ord001 import reorder
from tests.rules.turns import tools


def seen(row: tuple[Tool, ...]) -> FirstSeen:
    return FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in row))


@given(tools, tools)
def test_every_tool_goes_up_once_saying_what_it_says_now(now: tuple[Tool, ...], before: tuple[Tool, ...]) -> None:
    after = reorder(now, seen(before)).value
    assert {tool.name: digest.of_tool(tool) for tool in after} == {tool.name: digest.of_tool(tool) for tool in now}
    assert len(after) == len(now)


@given(tools, tools)
def test_those_that_stand_keep_their_order(now: tuple[Tool, ...], before: tuple[Tool, ...]) -> None:
    after = reorder(now, seen(before)).value
    names = {tool.name for tool in now}
    assert [tool.name for tool in after][: len([t for t in before if t.name in names])] == [
        tool.name for tool in before if tool.name in names
    ]


def test_a_first_request_and_a_double_name_are_left_alone() -> None:
    twice = (Tool("A", "", b"{}", 0), Tool("A", "", b"{}", 1))
    assert reorder(twice, seen(twice[:1])).value is twice
    assert reorder(twice[:1], FirstSeen()).value == twice[:1]


def test_a_tool_keeps_its_own_bytes_and_place() -> None:
    before = (Tool("B", "", b'{"a":1,"b":2}', 0, raw=b"old"), Tool("A", "", b"{}", 1, raw=b"old"))
    now = (Tool("A", "", b"{}", 0, raw=b"a"), Tool("B", "", b'{"b":2,"a":1}', 1, raw=b"b"))
    assert reorder(now, seen(before)).value == (now[1], now[0])
