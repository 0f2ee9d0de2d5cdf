"""The chat completions shape: what a prompt of any kind is written as."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    Options,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
    Turn,
)
from keepwarm.upstream import chat
from tests.rules.turns import turns

PICTURE = Media("image", "image/png", "aGk=")
PICTURE_URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def asked(*messages: Message, vision: bool = True) -> list[Any]:
    """The chat messages of a turn."""
    rows: list[Any] = json.loads(b"[" + chat.turn_text(Turn(messages), vision=vision) + b"]")
    return rows


def user(*blocks: Block) -> Message:
    return Message("user", blocks, 0)


def answered(*blocks: Block) -> Any:
    (row,) = asked(Message("assistant", blocks, 1))
    return row


# The head


def test_the_system_prompt_is_one_message() -> None:
    blocks = (SystemBlock("One é.", 0), SystemBlock("", 1), SystemBlock("Two.", 2))
    assert chat.system_text(blocks) == '{"role":"system","content":"One é.\\n\\nTwo."}'.encode()
    assert chat.system_text(()) == chat.system_text((SystemBlock("", 0),)) == b""


def test_tools_are_functions_with_the_schemas_own_text() -> None:
    bash, silent = Tool("Bash", "Runs.", b'{"b": 1.0, "a":2}', 0), Tool("Ls", "", b"{}", 1)
    hosted = Tool("web_search", "", b"", 2)
    assert chat.tools_text((bash, silent, hosted)) == (
        b'{"type":"function","function":{"name":"Bash","description":"Runs.","parameters":{"b": 1.0, "a":2}}},'
        b'{"type":"function","function":{"name":"Ls","parameters":{}}}'
    )
    assert chat.tools_text((hosted,)) == b""


# The model's own turn


def test_an_answer_is_one_message_with_all_its_parts() -> None:
    blocks = (
        Thinking("I ", "s"),
        Thinking("see.", "s"),
        Thinking("", "secret", redacted=True),
        Text("Look"),
        Text("ing."),
        ToolUse("a", "Bash", '{"b": 1.0,  "a":"é"}'),
        ToolUse("b", "Read", "{}", "call_7"),
    )
    assert answered(*blocks) == {
        "role": "assistant",
        "content": "Looking.",
        "reasoning_content": "I see.",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "Bash", "arguments": '{"b": 1.0,  "a":"é"}'}},
            {"id": "call_7", "type": "function", "function": {"name": "Read", "arguments": "{}"}},
        ],
    }


def test_an_answer_of_nothing_is_still_a_message() -> None:
    assert answered() == answered(Thinking("")) == {"role": "assistant", "content": ""}


def test_what_is_not_known_goes_as_its_text() -> None:
    assert answered(Opaque("hologram", b'{"type":"hologram"}'))["content"] == '{"type":"hologram"}'
    assert asked(user(Opaque("hologram", b'{"type":"hologram"}')))[0]["content"] == '{"type":"hologram"}'


# All other turns


def test_results_come_first_and_then_all_words_as_one_message() -> None:
    result = ToolResult("a", (Text("one"), Text("two")))
    assert asked(user(Text("x"), result, Text("y")), user(ToolResult("b", (), is_error=True), Text("z"))) == [
        {"role": "tool", "tool_call_id": "a", "content": "one\n\ntwo"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "user", "content": "x\n\ny\n\nz"},
    ]


def test_a_system_message_that_no_rule_folded_stays_where_it_is() -> None:
    assert asked(user(Text("a")), Message("system", (Text("b"),), 1), user(Text("c"))) == [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "c"},
    ]


def test_a_picture_makes_the_content_a_list() -> None:
    assert asked(user(Text("a"), PICTURE, Media("image", "", "http://x/y.png", is_url=True))) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                PICTURE_URL,
                {"type": "image_url", "image_url": {"url": "http://x/y.png"}},
            ],
        }
    ]


def test_a_picture_in_a_result_follows_as_the_users() -> None:
    assert asked(user(ToolResult("a", (Text("see"), PICTURE)))) == [
        {"role": "tool", "tool_call_id": "a", "content": "see\n\n[image: it follows]"},
        {"role": "user", "content": [PICTURE_URL]},
    ]


def test_a_server_without_eyes_is_told_what_there_was() -> None:
    words = "[image image/png: this server cannot read it]"
    assert asked(user(PICTURE), vision=False) == [{"role": "user", "content": words}]
    assert asked(user(ToolResult("a", (PICTURE,))), vision=False)[0]["content"] == words


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (Media("document", "text/plain", "words"), "words"),
        (Media("document", "application/pdf", "aGk="), "[document application/pdf: this server cannot read it]"),
        (ToolReference("Grep"), "The tool Grep is available now."),
    ],
)
def test_other_blocks_are_words(block: Block, words: str) -> None:
    assert asked(user(block)) == [{"role": "user", "content": words}]


def test_a_turn_in_which_nothing_is_said_is_no_text() -> None:
    assert chat.turn_text(Turn(())) == chat.turn_text(Turn((user(Text("")),))) == b""


def words_of(row: Any) -> str:
    content = row["content"]
    said = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
    said += row.get("reasoning_content", "")
    return said + "".join(call["function"]["arguments"] for call in row.get("tool_calls", ()))


@given(turns)
def test_no_word_of_a_turn_is_lost(turn: Turn) -> None:
    rows = asked(*turn.messages)
    heard = "".join(map(words_of, rows))
    for block in turn.blocks():
        match block:
            case Text(text) | Thinking(text, _, False) | ToolUse(_, _, text):
                assert text in heard
            case ToolResult(id, parts):
                (row,) = [one for one in rows if one.get("tool_call_id") == id][:1]
                assert row["role"] == "tool"
                assert all(part.text in heard for part in parts if isinstance(part, Text))
    assert sum(row["role"] == "user" for row in rows) <= 1 + sum(one.role == "system" for one in turn.messages)


@given(st.lists(st.sampled_from(("a", "b")), min_size=1), st.sampled_from(("c", "d")))
def test_what_is_added_to_a_turn_lengthens_its_text(words: list[str], more: str) -> None:
    """Behind what was read: the two texts part where the content's closing quote was."""
    before, after = (chat.turn_text(Turn((user(*map(Text, row)),))) for row in (words, [*words, more]))
    assert after.startswith(before.removesuffix(b'"}'))


# The request


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options("m"), {"model": "m"}),
        (
            Options("m", max_tokens=5, temperature=0.0, top_p=0.5, top_k=4, stop=("END",)),
            {"model": "m", "max_tokens": 5, "temperature": 0.0, "top_p": 0.5, "top_k": 4, "stop": ["END"]},
        ),
        (Options("m", tool_choice="any"), {"model": "m", "tool_choice": "required"}),
        (Options("m", tool_choice="auto"), {"model": "m", "tool_choice": "auto"}),
        (Options("m", tool_choice="none"), {"model": "m", "tool_choice": "none"}),
        (
            Options("m", tool_choice="tool:Bash"),
            {"model": "m", "tool_choice": {"type": "function", "function": {"name": "Bash"}}},
        ),
        (
            Options("m", schema=b'{"type":"object"}'),
            {
                "model": "m",
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}},
                },
            },
        ),
    ],
)
def test_what_a_request_asks_for(options: Options, said: dict[str, Any]) -> None:
    assert json.loads(chat.body(chat.members(options, ""), b"", b"", ())) == {**said, "messages": []}


def test_a_model_that_is_set_stands_for_the_clients() -> None:
    assert chat.members(Options("claude-opus-4-1"), "local") == [b'"model":"local"']


@given(st.binary().map(msgspec.json.encode), st.lists(st.sampled_from((b"", b'"1"', b'"2","3"'))), st.booleans())
def test_what_stands_is_joined_as_it_is(system: bytes, chunks: list[bytes], tools: bool) -> None:
    whole = chat.body([b'"a":1'], system, b'{"x": 1.0}' if tools else b"", chunks)
    middle = b'"tools":[{"x": 1.0}],' if tools else b""
    assert whole == b'{"a":1,' + middle + b'"messages":[' + b",".join([system, *filter(None, chunks)]) + b"]}"
    assert json.loads(chat.body([], b"", b"", [])) == {"messages": []}
