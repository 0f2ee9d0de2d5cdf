"""Schemas in the bytes first seen, and named where they are not."""

from __future__ import annotations

from hypothesis import given

from keepwarm.core import digest
from keepwarm.core.prompt import Tool
from keepwarm.rules.api import FirstSeen
from keepwarm.rules.ord003 import restore
from keepwarm.rules.shelf import Shelf, Table
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from tests.exchange.playbook import Playbook, chat, keeper, request
from tests.rules.turns import tools


def seen(row: tuple[Tool, ...]) -> FirstSeen:
    return FirstSeen(tuple((tool.name, digest.of_tool(tool), tool) for tool in row))


@given(tools, tools)
def test_every_tool_stays_at_its_place_and_says_what_it_says(now: tuple[Tool, ...], before: tuple[Tool, ...]) -> None:
    after = restore(now, seen(before)).value
    assert [(tool.name, digest.of_tool(tool)) for tool in after] == [(tool.name, digest.of_tool(tool)) for tool in now]
    first = {tool.name: tool for tool in before}
    for tool in after:
        if tool.name in first and digest.of_tool(tool) == digest.of_tool(first[tool.name]):
            assert tool.schema == first[tool.name].schema


def test_a_first_request_and_a_double_name_are_left_alone() -> None:
    twice = (Tool("A", "", b'{"a":1,"b":2}', 0), Tool("A", "", b'{"b":2,"a":1}', 1))
    assert restore(twice, seen(twice[:1])).value is twice
    assert restore(twice[1:], FirstSeen()).value == twice[1:]


def test_where_it_is_switched_off_it_is_named() -> None:
    on = keeper(rules=Shelf([Table("[rules]", off=("ORD003",))]))
    schemas = {"type": "object", "properties": {}}, {"properties": {}, "type": "object"}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "go"},
    ]
    dropped = chat(Answer("a"), counts=Counts(0, 100, 5, 1.0))
    records = [
        Playbook(request(*turns[:count], tools=[{"name": "A", "input_schema": schema}]), on).answer_with(dropped).over()
        for count, schema in zip((1, 3), schemas, strict=True)
    ]
    verdict = records[1].verdict
    assert verdict is not None
    assert (verdict.blame, verdict.causes) == ("client", ("ORD003",))
    assert verdict.place is not None
    assert verdict.place.path == "/tools/0"
