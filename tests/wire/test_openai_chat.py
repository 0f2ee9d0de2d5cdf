"""A request of chat completions, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Options, SystemBlock
from keepwarm.errors import BadJson
from keepwarm.wire import openai_chat, openai_messages

GOLDEN = Path(__file__).parent / "golden" / "chat"


def body(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": messages or [{"role": "user", "content": "x"}]} | fields).encode()


def plain(value: Any) -> Any:
    """What was read as JSON values, the bytes that blocks keep left out."""
    if isinstance(value, msgspec.Struct):
        fields = {name: plain(inner) for name, inner in msgspec.structs.asdict(value).items() if name != "raw"}
        return {"is": type(value).__name__} | fields
    if isinstance(value, bytes):
        return value.decode()
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_a_request_is_read_as_the_golden_file_says() -> None:
    parsed = openai_chat.parse((GOLDEN / "every_message.json").read_bytes())
    raws = enumerate(parsed.messages_raw, parsed.leading)
    told = {
        "options": plain(parsed.options),
        "leading": parsed.leading,
        "cache_key": parsed.cache_key,
        "user": parsed.user,
        "system": plain(parsed.system),
        "tools": [plain(openai_chat.tool(raw, index)) for index, raw in enumerate(parsed.tools_raw)],
        "messages": [plain(openai_chat.message(raw, index)) for index, raw in raws],
    }
    text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    assert text == (GOLDEN / "every_message.read.json").read_text(encoding="utf-8")


def test_pieces_are_the_clients_own_text() -> None:
    lead, first, second = b'{"role" : "system"}', b'{"content":"a",  "role":"user"}', b'{"role":"assistant"}'
    tool = b'{"type" :"custom"}'
    text = b'{ "messages" : [ %b ,%b,\n %b],"tools":[ %b ] }' % (lead, first, second, tool)
    parsed = openai_chat.parse(text)
    assert parsed.messages_raw == (first, second)
    assert parsed.tools_raw == (tool,)
    assert parsed.everything == (lead, first, second)
    assert (parsed.leading, parsed.system) == (1, ())
    assert parsed.body is text


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, Options("m")),
        ({"model": None}, Options("")),
        ({"stream": True, "stream_options": {"include_usage": False}}, Options("m", stream=True)),
        ({"max_tokens": 9, "max_completion_tokens": 7}, Options("m", max_tokens=7)),
        ({"max_tokens": 9, "max_completion_tokens": None}, Options("m", max_tokens=9)),
        ({"stop": ["a", "b"]}, Options("m", stop=("a", "b"))),
        ({"stop": "a"}, Options("m", stop=("a",))),
        ({"stop": None}, Options("m")),
        ({"tool_choice": "required"}, Options("m", tool_choice="any")),
        ({"tool_choice": "none"}, Options("m", tool_choice="none")),
        ({"tool_choice": {"type": "allowed_tools"}}, Options("m")),
        ({"response_format": {"type": "json_object"}}, Options("m")),
        ({"chat_template_kwargs": {"enable_thinking": True}}, Options("m", thinking=True)),
        # Of another type than the API's: the server may take it, and says so where it does not.
        ({"temperature": "hot", "user": 7, "stream_options": [], "stop": 3, "prompt_cache_key": {}}, Options("m")),
    ],
)
def test_what_is_asked_for(fields: dict[str, Any], options: Options) -> None:
    parsed = openai_chat.parse(body(**fields))
    assert parsed.options == options
    assert (parsed.cache_key, parsed.user) == ("", "")


def test_only_leading_messages_of_the_system_and_the_developer_are_the_system_prompt() -> None:
    rows = [{"role": "developer", "content": "a"}, {"role": "system", "content": [{"type": "text", "text": "b"}]}]
    user, late = {"role": "user", "content": "c"}, {"role": "system", "content": "d"}
    parsed = openai_chat.parse(body(*rows, user, late))
    raws = [json.dumps(row).encode() for row in rows]
    assert parsed.system == (
        SystemBlock("a", 0, raws[0], "/messages/0/content"),
        SystemBlock("b", 1, raws[1], "/messages/1/content/0/text"),
    )
    assert [block.path for block in parsed.system] == ["/messages/0/content", "/messages/1/content/0/text"]
    assert [openai_messages.role(raw) for raw in parsed.messages_raw] == ["user", "system"]


def test_a_request_may_be_nothing_but_a_system_prompt() -> None:
    parsed = openai_chat.parse(body({"role": "system", "content": "Write a title."}))
    assert (parsed.leading, len(parsed.messages_raw)) == (1, 0)


def test_a_part_of_the_system_prompt_that_is_no_words_is_its_own_text() -> None:
    part = '{"type": "image_url", "image_url": {"url": "https://example.org/a"}}'
    text = '{"messages":[{"role":"system","content":[' + part + "]}]}"
    (block,) = openai_chat.parse(text.encode()).system
    assert block.text == part


@pytest.mark.parametrize(
    ("said", "words", "path"),
    [
        (b"{", "could not parse the JSON body", ""),
        (b"\xff", "could not parse the JSON body", ""),
        (b"[]", "Invalid type for 'body': expected an object.", ""),
        (b"{}", "Missing required parameter: 'messages'.", "/messages"),
        (b'{"messages":[]}', "Missing required parameter: 'messages'.", "/messages"),
        (b'{"messages":"x"}', "Invalid type for 'messages': expected an array.", "/messages"),
        (b'{"messages":[{"content":"x"}]}', "Missing required parameter: 'messages[0].role'.", "/messages/0/role"),
        (b'{"messages":[{"role":7}]}', "Invalid type for 'messages[0].role': expected a string.", "/messages/0/role"),
        (b'{"messages":[7]}', "Invalid type for 'messages[0]': expected an object.", "/messages/0"),
        (b'{"messages":[{"role":"system","content":7}]}',
         "Invalid type for 'messages[0].content': expected an array.", "/messages/0/content"),
        (b'{"messages":[{"role":"user"}],"stream":"yes"}',
         "Invalid type for 'stream': expected a boolean.", "/stream"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_at_its_place(said: bytes, words: str, path: str) -> None:
    with pytest.raises(BadJson) as refused:
        openai_chat.parse(said)
    assert words in str(refused.value)
    assert refused.value.path == path


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(BadJson, match="nested too deeply"):
        openai_chat.parse(b'{"messages":' + b"[" * 100_000)


@given(st.text())
def test_half_a_surrogate_pair_is_a_replacement_character_and_all_else_stays(words: str) -> None:
    for text in ("\\ud83d" + json.dumps(words)[1:-1], json.dumps(words)[1:-1] + "\\ude00"):
        parsed = openai_chat.parse(f'{{"messages":[{{"role":"user","content":"{text}"}}]}}'.encode())
        (block,) = openai_chat.message(parsed.messages_raw[0], 0).blocks
        assert getattr(block, "text", "").count("\ufffd") == words.count("\ufffd") + 1
