"""Cache markers read and written in place: the model reads the same, byte for byte where nothing is marked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.core.marks import Row, Slot, with_marks
from keepwarm.upstream.anthropic_marks import read, write

MARK = {"type": "ephemeral"}
words = st.sampled_from(("", "hi", 'a "quoted" {word}', "naïve ☃", "\n"))


def _marked(block: dict[str, Any], mark: object) -> dict[str, Any]:
    return block if mark is ... else {**block, "cache_control": mark}


marks = st.sampled_from((..., ..., MARK, {"type": "ephemeral", "ttl": "1h"}, None))
texts = st.builds(lambda text: {"type": "text", "text": text}, words)
others = st.sampled_from(
    (
        {"type": "tool_use", "id": "t", "name": "A", "input": {"cache_control": "a word"}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}]},
        {"type": "hologram"},
        {},
    )
)
blocks = st.builds(_marked, st.one_of(texts, others), marks)
thinking = st.just({"type": "thinking", "thinking": "x", "signature": "s"})
contents = st.one_of(words, st.lists(st.one_of(blocks, thinking), max_size=4))
messages = st.builds(
    lambda role, content: {"role": role, "content": content}, st.sampled_from(("user", "assistant", "system")), contents
)
tools = st.builds(
    _marked, st.fixed_dictionaries({"name": words}, optional={"defer_loading": st.booleans(), "type": words}), marks
)
bodies = st.fixed_dictionaries(
    {"model": words, "messages": st.lists(messages, max_size=5)},
    optional={"system": st.one_of(words, st.lists(st.builds(_marked, texts, marks))), "tools": st.lists(tools)},
)
written = st.builds(
    lambda said, blanks: json.dumps(said, separators=(", ", ": ") if blanks else (",", ":")).encode(),
    bodies,
    st.booleans(),
)


def shown(body: bytes) -> Any:
    """What a model reads of a request: no markers, and a string is a list with one text."""

    def strip(value: Any) -> Any:
        if isinstance(value, list):
            return [strip(part) for part in value]
        if isinstance(value, dict):
            said = {name: inner for name, inner in value.items() if name != "cache_control"}
            return {
                name: [{"type": "text", "text": inner}] if name in ("content", "system") and isinstance(inner, str) else
                strip(inner)
                for name, inner in said.items()
            }  # fmt: skip
        return value

    return strip(json.loads(body))


def row_of(body: bytes) -> Row:
    row = read(body)
    assert row is not None
    return row


@given(written, st.sets(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_setting_and_taking_markers_never_changes_what_is_read(body: bytes, on: set[int], off: set[int]) -> None:
    before = row_of(body)
    after = with_marks(before, {at for at in on if at < len(before.slots) and before.slots[at].can_hold}, off)
    now = write(body, before, after)
    assert shown(now) == shown(body)
    again = row_of(now)
    assert [slot.marked for slot in again.slots] == [slot.marked for slot in after.slots]
    assert write(now, again, again) is now


@given(written)
def test_what_is_not_to_change_is_the_very_bytes(body: bytes) -> None:
    row = row_of(body)
    assert write(body, row, row) is body


def test_every_block_has_its_place_its_size_and_its_marker() -> None:
    body = b"""{"model":"m","cache_control":null,"tools":[{"name":"A","cache_control":{"type":"ephemeral"}},
     {"name":"B","defer_loading":true}],"system":"Now: 06:00","messages":[{"role":"user","content":"hi"},
     {"role":"system","content":[{"type":"text","text":""}]},{"role":"assistant","content":[
     {"type":"thinking","thinking":"x"}]},{"role":"user","content":[]}]}"""
    assert row_of(body) == Row(
        (
            Slot("tools", "/tools/0", 49, marked=True),
            Slot("tools", "/tools/1", 33, can_hold=False),
            Slot("system", "/system", 12, moves=True),
            Slot("messages", "/messages/0/content", 4, turn=0, asked=True),
            Slot("messages", "/messages/1/content/0", 25, can_hold=False, turn=0, asked=True),
            Slot("messages", "/messages/2/content/0", 34, can_hold=False, turn=1),
        )
    )
    assert row_of(b'{"messages":[],"cache_control":{"type":"ephemeral"}}').automatic


@pytest.mark.parametrize("body", [b"", b"[]", b'{"messages":7}', b'{"messages":[1]}', b"\xff"])
def test_what_cannot_be_read_has_no_row(body: bytes) -> None:
    assert read(body) is None


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("You are an agent.", False),
        ("Version 2.1.39, 20 blocks, 1024 tokens", False),
        ("May I?", False),
        ("Today is 2026-11-24", True),
        ("at 6:07", True),
        ("24.11.2026", True),
        ("Tuesday", True),
        ("November 24", True),
    ],
)
def test_a_date_or_a_time_in_the_system_prompt_is_seen(text: str, moves: bool) -> None:
    (slot,) = row_of(json.dumps({"system": [{"type": "text", "text": text}]}).encode()).slots
    assert slot.moves is moves
