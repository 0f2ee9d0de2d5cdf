"""The session of verify: nothing changes in it but the billing line."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from keepwarm.testing.verify_session import STYLES, Style, VerifySession

LINE = re.compile(r"x-anthropic-billing-header: cc_version=\S+; cc_entrypoint=\S+;( cch=([0-9a-f]{5});)?")


def bodies(header: bool, style: Style = "2.1.114", nonce: str = "n") -> list[dict[str, Any]]:
    """Three requests of a session."""
    session = VerifySession(nonce, 2000, header=header, style=style, model="m")
    rows = []
    for number in range(3):
        rows.append(json.loads(session.request().body))
        session.receive([{"type": "text", "text": f"word {number}"}] if number else [{"type": "thinking"}])
    return rows


def plain(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Roles and words, without the marks."""
    return [
        (one["role"], one["content"] if isinstance(one["content"], str) else one["content"][0]["text"])
        for one in messages
    ]


def test_without_the_line_each_request_begins_with_the_one_before() -> None:
    first, second, third = bodies(header=False)
    assert first["system"] == second["system"] == third["system"]
    assert first["tools"] == third["tools"]
    assert plain(second["messages"])[: len(first["messages"])] == plain(first["messages"])
    assert plain(third["messages"])[: len(second["messages"])] == plain(second["messages"])
    assert [words for role, words in plain(third["messages"]) if role == "assistant"] == ["Noted.", "word 1"]
    assert "billing" not in json.dumps(third)
    assert (third["model"], third["max_tokens"], third["stream"]) == ("m", 4, True)


@pytest.mark.parametrize(("style", "values"), [("2.1.114", 3), ("2.1.328", 1)])
def test_with_the_line_only_the_line_differs(style: Style, values: int) -> None:
    rows = bodies(header=True, style=style)
    lines = [row["system"][0]["text"] for row in rows]
    assert all(LINE.fullmatch(line) for line in lines)
    assert len(set(lines)) == values
    assert rows[0]["system"][1:] == rows[2]["system"][1:]
    assert {row["system"][1]["text"] for row in rows} == {bodies(header=False)[0]["system"][0]["text"]}


def test_sessions_have_words_of_their_own() -> None:
    one, other = (bodies(header=False, nonce=nonce)[0]["system"][0]["text"] for nonce in "ab")
    assert one[:60] != other[:60]


def test_the_styles_are_told() -> None:
    assert STYLES == ("2.1.114", "2.1.328")
