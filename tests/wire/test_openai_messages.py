"""Messages and tools of chat completions, read."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core import digest
from keepwarm.core.prompt import Block, Media, Message, Opaque, Text, Thinking, ToolResult, ToolUse
from keepwarm.errors import BadJson
from keepwarm.wire.openai_messages import message, place, pointer, role, tool

CALL = {"id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": '{"a": 1}'}}


def read(index: int = 0, **fields: Any) -> Message:
    return message(json.dumps(fields).encode(), index)


def without_raw(block: Block) -> Block:
    match block:
        case ToolResult(id, content):
            return ToolResult(id, tuple(without_raw(part) for part in content))  # type: ignore[misc]
        case Text(text):
            return Text(text)
        case Thinking(text):
            return Thinking(text)
        case ToolUse(id, name, arguments):
            return ToolUse(id, name, arguments)
        case _:
            return block


def said(**fields: Any) -> tuple[Block, ...]:
    return tuple(map(without_raw, read(**fields).blocks))


def test_an_assistants_message_is_its_reasoning_its_words_and_its_calls() -> None:
    blocks = said(role="assistant", tool_calls=[CALL], content="I look.", reasoning_content="Hm.")
    assert blocks == (Thinking("Hm."), Text("I look."), ToolUse("call_1", "Bash", '{"a": 1}'))


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_has_two_names_and_is_read_once(name: str) -> None:
    assert said(role="assistant", content="x", **{name: "Hm."}) == (Thinking("Hm."), Text("x"))
    assert said(role="assistant", content="x", reasoning="Hm.", reasoning_content="Hm.")[0] == Thinking("Hm.")
    assert said(role="assistant", content="x", **{name: None}) == (Text("x"),)


@pytest.mark.parametrize("content", [None, "", []])
def test_no_content_is_no_block(content: Any) -> None:
    assert said(role="assistant", content=content, tool_calls=[CALL]) == said(role="assistant", tool_calls=[CALL])
    assert digest.of_message(read(role="user", content=content)) == digest.of_message(read(role="user"))


@pytest.mark.parametrize("content", ["out", [{"type": "text", "text": "out"}]])
def test_a_tools_message_is_one_result(content: Any) -> None:
    assert said(role="tool", tool_call_id="call_1", content=content) == (ToolResult("call_1", (Text("out"),)),)


def test_a_result_without_words_is_a_result() -> None:
    assert said(role="tool", tool_call_id="call_1") == (ToolResult("call_1", ()),)


def test_a_developers_message_is_a_system_message() -> None:
    assert read(role="developer", content="x").role == "system"
    assert role(b'{"content":"x","role":"developer"}') == "developer"


@pytest.mark.parametrize(
    "spelled", ['{"role":"tool",', '{"role": "tool",', '{"x":1, "role" : "tool",', '{\n"role":"tool",']
)
def test_the_role_is_told_wherever_it_stands(spelled: str) -> None:
    assert role((spelled + '"content":""}').encode()) == "tool"


def test_a_role_that_is_said_twice_is_refused() -> None:
    with pytest.raises(BadJson, match=r"'messages\[4\].role': it is said twice"):
        message(b'{"role":"user","content":"x","role":"assistant"}', 4)


@pytest.mark.parametrize(
    ("url", "media"),
    [
        ("data:image/PNG;base64,iVBOR", Media("image", "image/png", "iVBOR")),
        ("data:image/png;charset=x;base64,iVBOR", Media("image", "image/png", "iVBOR")),
        ("https://example.org/a.png", Media("image", "", "https://example.org/a.png", is_url=True)),
    ],
)
def test_an_image_is_an_image(url: str, media: Media) -> None:
    for image in (url, {"url": url, "detail": "low"}):
        (block,) = read(role="user", content=[{"type": "image_url", "image_url": image}]).blocks
        assert isinstance(block, Media)
        assert (block.kind, block.media_type, block.data, block.is_url) == (
            media.kind, media.media_type, media.data, media.is_url,
        )  # fmt: skip


@pytest.mark.parametrize("fields", [
    {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
    {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "{}"}},
    {"role": "user", "content": "x", "name": "ada"},
    {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "grep", "input": "x"}}]},
])  # fmt: skip
def test_what_is_not_known_is_kept_and_tells_messages_apart(fields: dict[str, Any]) -> None:
    one = read(**fields)
    assert any(isinstance(block, Opaque) for block in one.blocks)
    assert one.raw == json.dumps(fields).encode()
    other = read(**json.loads(json.dumps(fields).replace("input_audio", "file").replace("ada", "bob")
                              .replace("old", "new").replace("grep", "find")))  # fmt: skip
    assert digest.of_message(other) != digest.of_message(one)


def test_what_an_sdk_adds_to_an_answer_makes_no_other_message_of_it() -> None:
    answer: dict[str, Any] = {"role": "assistant", "content": "x", "tool_calls": [CALL]}
    dumped = answer | {
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "reasoning_content": "h",
    }
    assert digest.of_message(read(**dumped)) == digest.of_message(read(**answer))
    marked: dict[str, Any] = {
        "role": "user",
        "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
    }
    assert digest.of_message(read(**marked)) == digest.of_message(read(role="user", content="x"))


def test_arguments_may_be_an_object() -> None:
    raw = b'{"role":"assistant","tool_calls":[{"function":{"name":"Bash","arguments":{"a": 5000.0}}}]}'
    (call,) = message(raw, 0).blocks
    assert isinstance(call, ToolUse)
    assert (call.id, call.name, call.arguments) == ("", "Bash", '{"a": 5000.0}')


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"role":"tool","content":"x"}', "Missing required parameter: 'messages[2].tool_call_id'."),
        (b'{"role":"tool","tool_call_id":7}', "Invalid type for 'messages[2].tool_call_id': expected a string."),
        (b'{"role":"user","content":7}', "Invalid type for 'messages[2].content': expected an array."),
        (b'{"role":"user","content":[7]}', "Invalid type for 'messages[2].content[0]': expected an object."),
        (b'{"role":"user","content":[{"type":"text"}]}',
         "Missing required parameter: 'messages[2].content[0].text'."),
        (b'{"role":"assistant","tool_calls":{}}', "Invalid type for 'messages[2].tool_calls': expected an array."),
        (b'{"role":"assistant","tool_calls":[{"function":{}}]}',
         "Missing required parameter: 'messages[2].tool_calls[0].function.name'."),
        (b'{"role":"user","content":"\xff"}', "it is not UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_at_its_place(raw: bytes, words: str) -> None:
    with pytest.raises(BadJson) as refused:
        message(raw, 2)
    assert words in str(refused.value)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for raw in (data, b'{"role":"user","content":' + data + b"}", b'{"role":"assistant","tool_calls":' + data + b"}"):
        with contextlib.suppress(BadJson):
            assert message(raw, 0).raw is raw


def test_tools() -> None:
    made = tool(b'{"type":"function","function":{"name":"a","description":"d","parameters":{"x" :1}}}', 3)
    assert (made.name, made.description, made.schema, made.index) == ("a", "d", b'{"x" :1}', 3)
    bare = tool(b'{"function":{"name":"a"}}', 0)
    assert (bare.name, bare.description, bare.schema) == ("a", "", b"")
    other = b'{"type":"web_search","depth":2}'
    assert (tool(other, 0).name, tool(other, 0).schema) == ("web_search", other)
    for raw, words in (
        (b"{}", r"'tools\[1\].type'"),
        (b'{"type":"function","function":{}}', r"'tools\[1\].function.name'"),
        (b"{", "could not parse the JSON body"),
    ):
        with pytest.raises(BadJson, match=words):
            tool(raw, 1)


# Places


def test_places_are_named_as_this_protocol_has_them() -> None:
    image = {"type": "image_url", "image_url": "https://example.org/a"}
    custom = {"id": "1", "type": "custom", "custom": {"name": "grep", "input": "x"}}
    assistant = read(role="assistant", reasoning="h", content=[image, image], tool_calls=[custom, CALL], name="ada")
    places = [pointer(assistant, at) for at in range(len(assistant.blocks))]
    assert places == [
        "/name",
        "/reasoning_content",
        "/content/0",
        "/content/1",
        "/tool_calls/0",
        "/tool_calls/1/function/arguments",
    ]
    assert pointer(read(role="user", content="x"), 0) == "/content"
    result = read(role="tool", tool_call_id="1", content=[{"type": "text", "text": "x"}])
    assert pointer(result, 0) == "/content"


@pytest.mark.parametrize(
    ("named", "place_"),
    [
        ("/messages/3/content/1/input", "/messages/3/tool_calls/0/function/arguments"),
        ("/messages/3/content/0", "/messages/3/content"),
        ("/messages/3/content/9", "/messages/3/content/9"),
        ("/messages/3", "/messages/3"),
        ("/tools/1", "/tools/1"),
    ],
)
def test_what_rules_name_by_a_block_is_found_in_the_message(named: str, place_: str) -> None:
    assert place(named, read(3, role="assistant", content="x", tool_calls=[CALL])) == place_
