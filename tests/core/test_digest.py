"""Identity: equal exactly when the model reads the same, whatever the bytes around it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keepwarm.core import digest
from keepwarm.core.prompt import (
    Block,
    Media,
    Message,
    Opaque,
    SystemBlock,
    Text,
    Thinking,
    Tool,
    ToolReference,
    ToolResult,
    ToolUse,
)

# Letters that the digests use as marks, a digit and a colon (as in a length), and the unit separator.
WORDS = st.text("tur1:\x1f", max_size=4)
RAW = st.sampled_from([b"", b'{"x":1}'])
TEXTS = st.builds(Text, WORDS, RAW)
INNER = TEXTS | st.builds(ToolReference, WORDS, RAW)
BLOCKS = (
    TEXTS
    | st.builds(Thinking, WORDS, raw=RAW)
    | st.builds(ToolUse, WORDS, WORDS, WORDS, raw=RAW)
    | st.builds(ToolResult, WORDS, st.lists(INNER, max_size=3).map(tuple), st.booleans(), RAW)
    | st.builds(Media, WORDS, WORDS, WORDS, st.booleans(), RAW)
    | st.builds(Opaque, WORDS, st.just(b'{"y":2}'))
)
MESSAGES = st.builds(Message, WORDS, st.lists(BLOCKS, max_size=4).map(tuple), st.just(0))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(message: Message) -> object:
    """What the model reads of a message, as plain values."""

    def of(block: Block) -> object:
        match block:
            case Thinking():
                return None
            case Text(text):
                return ("text", text) if text else None
            case ToolResult(id, content, is_error):
                return ("result", id, is_error, [said for part in content if (said := of(part)) is not None])
            case Opaque(kind, raw):
                return ("opaque", kind, raw)
            case _:
                return (
                    type(block).__name__,
                    *[getattr(block, name) for name in block.__struct_fields__ if name != "raw"],
                )

    return message.role, [said for block in message.blocks if (said := of(block)) is not None]


@given(MESSAGES, MESSAGES)
def test_identities_agree_exactly_when_the_model_reads_the_same(one: Message, other: Message) -> None:
    assert (digest.of_message(one) == digest.of_message(other)) == (read(one) == read(other))


def said(*blocks: Block) -> bytes:
    return digest.of_message(Message("user", blocks, 0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Text("a\x1ftb"),), (Text("a"), Text("b"))),
        ((ToolResult("1", (Text("atb"),)),), (ToolResult("1", (Text("a"), Text("b"))),)),
        ((ToolUse("1", "a", "{}"),), (ToolUse("1", "a{", "}"),)),
        ((ToolResult("1", ()),), (ToolResult("1", (), is_error=True),)),
    ],
)
def test_what_only_looks_alike_is_told_apart(one: tuple[Block, ...], other: tuple[Block, ...]) -> None:
    assert said(*one) != said(*other)


def test_shape_bytes_place_and_reasoning_are_not_identity() -> None:
    plain = said(Text("hello", b'"hello"'))
    marked = b'{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}'
    assert plain == said(Text("hello", marked), Text("")) == said(Thinking("hm", "sig"), Text("hello"))
    assert plain == digest.of_message(Message("user", (Text("hello"),), 7, b"{}"))
    assert plain != digest.of_message(Message("assistant", (Text("hello"),), 0))


@given(JSON, st.randoms(use_true_random=False))
def test_a_json_texts_identity_is_its_value(value: Any, random: Any) -> None:
    def shuffled(inner: Any) -> Any:
        if isinstance(inner, dict):
            keys = list(inner)
            random.shuffle(keys)
            return {key: shuffled(inner[key]) for key in keys}
        return [shuffled(item) for item in inner] if isinstance(inner, list) else inner

    compact = json.dumps(value, separators=(",", ":")).encode()
    assert digest.of_json(compact) == digest.of_json(json.dumps(shuffled(value), indent=1).encode())
    assert digest.of_json(compact) != digest.of_json(json.dumps([value]).encode())


def test_cache_control_is_left_out_of_json_at_the_top_only() -> None:
    assert digest.of_json(b'{"a":1,"cache_control":{"type":"ephemeral"}}') == digest.of_json(b'{"a":1}')
    assert digest.of_json(b'{"a":{"cache_control":1}}') != digest.of_json(b'{"a":{}}')
    assert digest.of_json(b"") == b""


@pytest.mark.parametrize("raw", [b'{"a":', b'"\\ud83d"', b'"\xff"', b"[" * 100_000, b"1e999"])
def test_json_that_cannot_be_read_still_has_an_identity(raw: bytes) -> None:
    assert len(digest.of_json(raw)) == 16
    assert digest.of_json(raw) == digest.of_json(bytes(bytearray(raw)))
    assert digest.of_json(raw) != digest.of_json(raw + b" ")


def test_a_tool_is_its_name_its_words_and_its_schemas_value() -> None:
    tool = Tool("Bash", "Run it.", b'{"type":"object","properties":{}}', 0)
    assert digest.of_tool(tool) == digest.of_tool(
        replace(tool, schema=b'{"properties": {}, "type": "object"}', index=4)
    )
    assert digest.of_tool(tool) != digest.of_tool(replace(tool, description="Run it!"))
    assert digest.of_tool(tool) != digest.of_tool(replace(tool, name="BashRun it.", description=""))


def test_a_chain_tells_the_order_and_a_prefix_does_not_know_what_follows() -> None:
    a, b = digest.of_text("a"), digest.of_text("b")
    assert digest.chain(digest.chain(b"", a), b) != digest.chain(digest.chain(b"", b), a)
    assert len(digest.chain(b"", a)) == 16


def test_texts_and_rows_of_identities() -> None:
    assert digest.of_text("a", "b") != digest.of_text("ab")
    assert digest.of_text("\ud83d") != digest.of_text("?")
    assert digest.of_system(SystemBlock("x", 0)) == digest.of_system(SystemBlock("x", -1, b'"x"'))
    assert digest.of_all([b"1" * 16, b"2" * 16]) != digest.of_all([b"2" * 16, b"1" * 16])
    assert digest.wire(b"abc") == digest.wire(memoryview(b"abc"))
