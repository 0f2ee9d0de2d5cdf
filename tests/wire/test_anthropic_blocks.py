"""One message or tool, read when it is asked for: faults at their place, and unknown things kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.prompt import Message, Opaque, Text, ToolResult, ToolUse
from keepwarm.errors import BadJson
from keepwarm.wire.anthropic_blocks import ROLES, message, role, tool

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def block(**fields: Any) -> bytes:
    return json.dumps({"role": "user", "content": [fields]}).encode()


@pytest.mark.parametrize("word", ROLES)
@pytest.mark.parametrize("shape", ['{{"role":"{}","content":[]}}', '{{ "content": [] , "role" : "{}" }}'])
def test_a_role_is_read_wherever_it_stands(word: str, shape: str) -> None:
    raw = shape.format(word).encode()
    assert role(raw) == word
    assert message(raw, 5) == Message(word, (), 5, raw)


@pytest.mark.parametrize(
    ("raw", "path", "told"),
    [
        (b"1", "/messages/3", "messages.3: Input should be a valid dictionary"),
        (b"{", "/messages/3", "The request body is not valid JSON"),
        (b'{"content":[]}', "/messages/3/role", "messages.3.role: Field required"),
        (
            b'{"role":"users","content":[]}',
            "/messages/3/role",
            "messages.3.role: Input should be 'user', 'assistant' or 'system'",
        ),
        (b'{"role":7,"content":[]}', "/messages/3/role", "messages.3.role: Input should be a valid string"),
    ],
)
def test_faults_of_a_role(raw: bytes, path: str, told: str) -> None:
    for read in (role, message):
        with pytest.raises(BadJson) as raised:
            read(raw, 3)
        assert raised.value.path == path
        assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("raw", "path", "told"),
    [
        (b'{"role":"user"}', "", "messages.3.content: Field required"),
        (b'{"role":"user","content":7}', "", "messages.3.content: Input should be a valid list"),
        (b'{"role":"user","role":"assistant","content":"x"}', "", "messages.3.role: is said twice"),
        (b'{"role":"user","content":"\xff"}', "", "The request body is not valid JSON: it is not UTF-8"),
        (b'{"role":"user","content":[{"type":"new","x":"\xff"}]}', "", "The request body is not valid JSON: it is not"),
        (b'{"role":"user","content":["x"]}', "/0", "Input should be a valid dictionary"),
        (block(text="x"), "/0/type", "Field required"),
        (block(type=7), "/0/type", "Input should be a valid string"),
        (block(type="text"), "/0/text", "Field required"),
        (block(type="text", text=7), "/0/text", "Input should be a valid string"),
        (block(type="image"), "/0/source", "Field required"),
        (block(type="image", source={}), "/0/source/type", "Field required"),
        (
            block(type="document", source={"type": "text", "data": 7}),
            "/0/source/data",
            "Input should be a valid string",
        ),
        (block(type="tool_use", id="1", name="x"), "/0/input", "Field required"),
        (block(type="tool_use", id="1", name="x", input="{}"), "/0/input", "Input should be a valid dictionary"),
        (block(type="tool_result"), "/0/tool_use_id", "Field required"),
        (block(type="tool_result", tool_use_id="1", content=7), "/0/content", "Input should be a valid list"),
        (
            block(type="tool_result", tool_use_id="1", content=[{"type": "text"}]),
            "/0/content/0/text",
            "Field required",
        ),
    ],
)
def test_faults_of_a_message(raw: bytes, path: str, told: str) -> None:
    with pytest.raises(BadJson) as raised:
        message(raw, 3)
    place = f"messages.3.content{path.replace('/', '.')}"
    assert str(raised.value).startswith(f"{place}: {told}" if path else told)
    if path:
        assert raised.value.path == f"/messages/3/content{path}"


@given(st.text(), st.dictionaries(st.text(), JSON, max_size=3))
def test_a_block_of_an_unknown_type_keeps_its_bytes(kind: str, fields: dict[str, Any]) -> None:
    text = json.dumps(fields | {"type": f"new_{kind}"}, ensure_ascii=False).encode()
    (found,) = message(b'{"role":"user","content":[ %b ]}' % text, 0).blocks
    assert found == Opaque(f"new_{kind}", text)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_arguments_are_the_clients_own_text(value: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    raw = f'{{"role":"assistant","content":[{{"type":"tool_use","input":{text},"name":"T","id":"1"}}]}}'.encode()
    (found,) = message(raw, 0).blocks
    assert isinstance(found, ToolUse)
    assert found.arguments == text


@given(st.text())
def test_a_string_and_one_text_block_read_the_same_and_so_does_a_marked_one(text: str) -> None:
    shapes: list[Any] = [
        text,
        [{"type": "text", "text": text}],
        [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}],
    ]
    read = [message(json.dumps({"role": "user", "content": shape}).encode(), 0) for shape in shapes]
    assert all(isinstance(one.blocks[0], Text) and one.blocks[0].text == text for one in read)
    assert len({digest.of_message(one) for one in read}) == 1


def test_a_results_string_and_its_one_text_block_read_the_same() -> None:
    read = [
        message(block(type="tool_result", tool_use_id="1", content=content, **mark), 0)
        for content in ("done", [{"type": "text", "text": "done"}])
        for mark in ({}, {"is_error": False}, {"cache_control": {"type": "ephemeral"}})
    ]
    assert len({digest.of_message(one) for one in read}) == 1
    assert isinstance(read[0].blocks[0], ToolResult)


@pytest.mark.parametrize(
    ("fields", "path", "told"),
    [
        ({}, "/name", "Field required"),
        ({"name": 7}, "/name", "Input should be a valid string"),
        ({"name": "x"}, "/input_schema", "Field required"),
        ({"name": "x", "input_schema": []}, "/input_schema", "Input should be a valid dictionary"),
        ({"name": "x", "type": "custom"}, "/input_schema", "Field required"),
    ],
)
def test_faults_of_a_tool(fields: dict[str, Any], path: str, told: str) -> None:
    with pytest.raises(BadJson) as raised:
        tool(json.dumps(fields).encode(), 2)
    assert raised.value.path == f"/tools/2{path}"
    assert str(raised.value) == f"tools.2{path.replace('/', '.')}: {told}"


def test_a_tools_schema_is_the_clients_own_text() -> None:
    raw = b'{"input_schema": {"type" : "object", "maximum":5000.0 }, "name":"x", "defer_loading":true}'
    read = tool(raw, 2)
    assert (read.schema, read.deferred, read.raw) == (b'{"type" : "object", "maximum":5000.0 }', True, raw)


@pytest.mark.parametrize("raw", [b'{"name":"\xff","input_schema":{}}', b'{"name":"x","input_schema":{"a":"\xff"}}'])
def test_a_tool_must_be_utf8(raw: bytes) -> None:
    with pytest.raises(BadJson, match="not UTF-8"):
        tool(raw, 0)
