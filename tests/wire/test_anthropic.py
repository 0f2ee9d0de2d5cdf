"""The request's envelope: one pass, nothing lost, and faults told where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.prompt import Options, SystemBlock, Text
from keepwarm.errors import BadJson
from keepwarm.wire import anthropic
from keepwarm.wire.fronts import FRONTS

GOLDEN = Path(__file__).parent / "golden"


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]} | fields).encode()


def as_plain(parsed: anthropic.Parsed) -> dict[str, Any]:
    """What was read, every message and tool included, as JSON values; the bytes that blocks keep are left out."""

    def without_raw(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_raw(inner) for key, inner in value.items() if key != "raw"}
        return [without_raw(inner) for inner in value] if isinstance(value, list | tuple) else value

    def encode(value: Any) -> Any:
        fields = msgspec.structs.asdict(value)
        named = {name: [{"is": type(inner).__name__} | encode(inner) for inner in inners] if is_row(inners) else inners
                 for name, inners in fields.items()}  # fmt: skip
        return {name: inner.decode() if isinstance(inner, bytes) else inner for name, inner in named.items()}

    def is_row(value: Any) -> bool:
        return isinstance(value, tuple) and bool(value) and isinstance(value[0], msgspec.Struct)

    plain = {
        "options": encode(parsed.options),
        "metadata_user_id": parsed.metadata_user_id,
        "system": [encode(block) for block in parsed.system],
        "tools": [encode(anthropic.tool(raw, index)) for index, raw in enumerate(parsed.tools_raw)],
        "messages": [encode(anthropic.message(raw, index)) for index, raw in enumerate(parsed.messages_raw)],
    }
    result: dict[str, Any] = without_raw(plain)
    return result


@pytest.mark.parametrize("name", ["main_request", "every_block"])
def test_a_request_is_read_as_the_golden_file_says(name: str) -> None:
    parsed = anthropic.parse((GOLDEN / f"{name}.json").read_bytes())
    told = json.dumps(as_plain(parsed), indent=1, ensure_ascii=False) + "\n"
    assert told == (GOLDEN / f"{name}.read.json").read_text(encoding="utf-8")


def test_pieces_are_the_clients_own_text() -> None:
    first, second, tool = b'{"role": "user",  "content":"a"}', b'{"content":[], "role":"system"}', b'{"x" : 5000.0}'
    text = b'{ "messages" : [ %b ,\n%b],"model":"m", "tools":[ %b ] }' % (first, second, tool)
    parsed = anthropic.parse(text)
    assert parsed.messages_raw == (first, second)
    assert parsed.tools_raw == (tool,)
    assert parsed.body is text


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, Options("m")),
        ({"max_tokens": 32000, "stream": True}, Options("m", max_tokens=32000, stream=True)),
        (
            {"temperature": 1, "top_p": 0.5, "top_k": 40, "stop_sequences": ["a", "b"]},
            Options("m", temperature=1.0, top_p=0.5, top_k=40, stop=("a", "b")),
        ),
        ({"tool_choice": {"type": "auto"}}, Options("m", tool_choice="auto")),
        ({"tool_choice": {"type": "none"}}, Options("m", tool_choice="none")),
        (
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            Options("m", tool_choice="any", parallel_tools=False),
        ),
        (
            {"tool_choice": {"type": "tool", "name": "Bash", "disable_parallel_tool_use": False}},
            Options("m", tool_choice="tool:Bash", parallel_tools=True),
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Options("m", thinking=True)),
        ({"thinking": {"type": "adaptive", "display": "updates"}}, Options("m", thinking=True)),
        ({"thinking": {"type": "disabled"}}, Options("m", thinking=False)),
        ({"diagnostics": None}, Options("m")),
        ({"diagnostics": {}}, Options("m", diagnose="")),
        ({"diagnostics": {"previous_message_id": None}}, Options("m", diagnose="")),
        ({"diagnostics": {"previous_message_id": "msg_1"}}, Options("m", diagnose="msg_1")),
        ({"thinking": {"type": "of_next_year"}}, Options("m")),
        ({"output_config": {"effort": "high"}}, Options("m")),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            Options("m", schema=b'{"type": "object"}'),
        ),
        ({"output_format": {"type": "json_schema", "schema": {}}}, Options("m", schema=b"{}")),
        ({"output_format": {"type": "text"}}, Options("m")),
        (
            dict.fromkeys(["max_tokens", "stream", "temperature", "tools", "system", "metadata", "thinking"]),
            Options("m"),
        ),
        ({"context_management": {"edits": [1]}, "brand_new": None}, Options("m")),
    ],
)
def test_options(fields: dict[str, Any], options: Options) -> None:
    assert anthropic.parse(body(**fields)).options == options


@pytest.mark.parametrize(
    ("system", "blocks"),
    [
        (None, ()),
        ("", ()),
        ("Words.", (SystemBlock("Words.", -1, b'"Words."'),)),
        ([], ()),
        ([{"type": "text", "text": ""}], (SystemBlock("", 0, b'{"type": "text", "text": ""}'),)),
    ],
)
def test_system(system: Any, blocks: tuple[SystemBlock, ...]) -> None:
    assert anthropic.parse(body(system=system)).system == blocks


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        (b"", "", "The request body is not valid JSON"),
        (b"{", "", "The request body is not valid JSON"),
        (b'{"model":"\xff","messages":[1]}', "", "The request body is not valid JSON: it is not UTF-8"),
        (b'{"messages":' + b"[" * 100_000, "", "The request body is not valid JSON: it is nested too deeply"),
        (b"[]", "", "Input should be a valid dictionary"),
        (b'{"model":"m"}', "/messages", "messages: Field required"),
        (b'{"messages":[1]}', "/model", "model: Field required"),
        (body(messages=[]), "/messages", "messages: at least one message is required"),
        (body(messages={}), "/messages", "messages: Input should be a valid list"),
        (body(max_tokens="9"), "/max_tokens", "max_tokens: Input should be a valid integer"),
        (body(stream=1), "/stream", "stream: Input should be a valid boolean"),
        (body(temperature="hot"), "/temperature", "temperature: Input should be a valid number"),
        (body(tools={}), "/tools", "tools: Input should be a valid list"),
        (body(stop_sequences=["a", 1]), "/stop_sequences/1", "stop_sequences.1: Input should be a valid string"),
        (body(metadata={"user_id": 1}), "/metadata/user_id", "metadata.user_id: Input should be a valid string"),
        (body(system=1), "/system", "system: Input should be a valid list"),
        (body(system=[{"type": "text"}]), "/system/0/text", "system.0.text: Field required"),
        (body(system=[{"type": "image", "text": ""}]), "/system/0/type", "system.0.type: Input should be 'text'"),
        (body(tool_choice={"type": "tool"}), "/tool_choice/name", "tool_choice.name: Field required"),
        (
            body(tool_choice={"type": "some"}),
            "/tool_choice",
            "tool_choice: Input tag 'some' found using 'type' does not match any of the expected tags: 'auto', 'any'",
        ),
    ],
)
def test_faults(text: bytes, path: str, told: str) -> None:
    with pytest.raises(BadJson) as raised:
        anthropic.parse(text)
    assert raised.value.path == path
    assert str(raised.value).startswith(told)


LONE = st.sampled_from(["\\ud83d", "\\uDE00", "\\ud83d\\ude00", "\\\\ud83d", "\\n", "ä", "x", '\\"', "\\u00e4"])


@given(st.lists(LONE).map("".join))
def test_half_a_surrogate_pair_is_a_replacement_character_and_all_else_stays(text: str) -> None:
    said: str = json.loads(f'"{text}"')
    parsed = anthropic.parse(f'{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}'.encode())
    kept = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in said)
    (block,) = anthropic.message(parsed.messages_raw[0], 0).blocks
    assert isinstance(block, Text)
    assert block.text == kept
    assert block.raw in parsed.body


def test_the_front_is_these_parts() -> None:
    front = FRONTS["anthropic"]
    parsed = front.parse(body(metadata={"user_id": '{"session_id":"s"}'}))
    assert front.identity({"User-Agent": "x/1"}, parsed).session == "s"
    assert front.message(parsed.messages_raw[0], 3).index == 3
    assert front.error(404, "not_found", "No.", "r")[0] == 404
    assert front.writer("1", Options("m", stream=True), 0).ping() == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert front.writer("1", Options("m"), 0).ping() == b" "
