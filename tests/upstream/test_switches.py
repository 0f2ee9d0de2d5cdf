"""The switches that keep earlier reasoning: the client's own word wins, and what is added is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.codec.splice import members
from keepwarm.upstream.switches import MEMBER, SWITCHES, edits, switched

BOTH = {"preserve_thinking": True, "clear_thinking": False}
ROWS = [
    ({}, BOTH),
    ({MEMBER: None}, BOTH),
    ({MEMBER: {"novel": 1}}, {"novel": 1, **BOTH}),
    ({MEMBER: {"preserve_thinking": False}}, {"preserve_thinking": False, "clear_thinking": False}),
    ({MEMBER: {"clear_thinking": True, "preserve_thinking": False}}, None),
    ({MEMBER: "x"}, None),
]


@pytest.mark.parametrize(("said", "now"), ROWS)
def test_the_clients_word_wins(said: dict[str, Any], now: dict[str, Any] | None) -> None:
    body = json.dumps({"model": "m", **said}).encode()
    found = switched(body, members(body), SWITCHES)
    assert [json.loads(text) for text in found.values()] == ([] if now is None else [now])


@pytest.mark.parametrize(("said", "now"), ROWS)
def test_what_is_added_is_listed(said: dict[str, Any], now: dict[str, Any] | None) -> None:
    listed = edits(json.dumps({"model": "m", **said}).encode())
    before = json.dumps(said[MEMBER]) if said else ""
    rows = [(edit.code, edit.path, edit.before, json.loads(edit.after)) for edit in listed]
    assert rows == ([] if now is None else [("HIS002", "/chat_template_kwargs", before, now)])
    assert all(edit.note for edit in listed)
