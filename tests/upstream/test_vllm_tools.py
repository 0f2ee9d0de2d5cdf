"""Tools as vLLM gives them to a chat template, and the question whether it prints the ones that it is told to."""

from __future__ import annotations

import json

import pytest

from keepwarm.upstream.vllm_tools import is_heeded, printed_chat, printed_messages, questions

SCHEMA = '{"properties":{"b":{"enum":[1.0,2]},"a":{}},"type":"object"}'


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        (
            '{"function": {"strict": true, "parameters": %s, "name": "bash"}, "type": "function", "novel": 1}',
            '{"type":"function","function":{"name":"bash","description":null,"parameters":%s,"strict":true}}',
        ),
        (
            '{"type": "function", "function": {"name": "b", "description": "d", "strict": null, "parameters": %s}}',
            '{"type":"function","function":{"name":"b","description":"d","parameters":%s}}',
        ),
        ('{"type":"odd","of":%s}', '{"type":"odd","of":%s}'),
    ],
)
def test_a_chat_tool_is_written_as_vllm_writes_it(said: str, printed: str) -> None:
    assert printed_chat(f"[{said % SCHEMA}]".encode()).decode() == f"[{printed % SCHEMA}]"


def test_a_tool_without_a_schema_has_none() -> None:
    assert printed_chat(b'[{"type":"function","function":{"name":"b"}}]') == (
        b'[{"type":"function","function":{"name":"b","description":null,"parameters":null}}]'
    )
    assert printed_chat(b"") == printed_messages(b"") == b"[]"


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        (
            '{"input_schema": %s, "name": "Bash", "cache_control": {"type": "ephemeral"}, "defer_loading": true}',
            '{"type":"function","function":{"name":"Bash","description":null,"parameters":%s,"defer_loading":true}}',
        ),
        (
            '{"name": "Bash", "description": "d", "strict": true, "input_schema": %s}',
            '{"type":"function","function":{"name":"Bash","description":"d","parameters":%s,"strict":true}}',
        ),
        ('{"type":"web_search_20250305","of":%s}', '{"type":"web_search_20250305","of":%s}'),
    ],
)
def test_a_messages_tool_is_written_as_vllm_translates_it(said: str, printed: str) -> None:
    assert printed_messages(f"[{said % SCHEMA}]".encode()).decode() == f"[{printed % SCHEMA}]"


def test_a_schema_without_a_type_gets_vllms_own_at_its_end() -> None:
    printed = printed_messages(b'[{"name":"B","input_schema":{"properties":{}}}]')
    assert b'"parameters":{"properties":{},"type":"object"}' in printed


def test_it_is_asked_with_one_tool_with_two_and_with_one_of_two_printed() -> None:
    asked = questions((("authorization", "Bearer x"),))
    assert {one.path for one in asked} == {"/tokenize"}
    assert all(("authorization", "Bearer x") in one.headers for one in asked)
    one, two, told = (json.loads(question.body) for question in asked)
    assert (len(one["tools"]), len(two["tools"])) == (1, 2)
    assert told == two | {"chat_template_kwargs": {"tools": one["tools"]}}


@pytest.mark.parametrize(
    ("counts", "heeded"),
    [((40, 70, 40), True), ((40, 70, 70), False), ((40, 70, 0), False), ((0, 0, 0), False), ((40, 40, 40), False)],
)
def test_only_who_prints_what_it_is_told_to_heeds_it(counts: tuple[int, int, int], heeded: bool) -> None:
    assert is_heeded(*counts) is heeded
