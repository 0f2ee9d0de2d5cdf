"""`diagnostics.cache_miss_reason`: what a client hears that names an older answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.exchange.keeper import Keeper
from keepwarm.session import journal as journals
from keepwarm.testing.answers import Answer
from keepwarm.testing.chat_shapes import Counts
from tests.exchange.playbook import Playbook, chat, keeper, request

Json = dict[str, Any]
SYSTEM = [{"type": "text", "text": "You are careful. " * 40}, {"type": "text", "text": "Be brief. " * 40}]
TOOLS = [{"name": name, "description": "Runs. " * 20, "input_schema": {"type": "object"}} for name in ("Bash", "Read")]
FIRST: Json = {"role": "user", "content": "the first question " * 20}
YES: Json = {"role": "assistant", "content": "Yes."}
ON: Json = {"role": "user", "content": "go on " * 20}


def tokens(book: Playbook) -> int:
    """Of a prompt, as the server counts here."""
    sent = book.sent()
    return len(json.dumps([sent.get("tools"), sent["messages"]])) // 4


def ask(on: Keeper, *messages: Json, previous: Any = None, stream: bool = True, **fields: Any) -> Json:
    """The message that the client gets."""
    said: Json = {"system": SYSTEM, "tools": TOOLS, "diagnostics": {"previous_message_id": previous}, **fields}
    said = {name: value for name, value in said.items() if value is not ...}
    book = Playbook(request(*messages, stream=stream, **said), on, {"x-claude-code-session-id": "s"})
    book.answer_with(chat(Answer("Yes."), counts=Counts(0, tokens(book), 2, 1.0))).over()
    heard = book.heard()
    if not stream:
        return dict(json.loads(heard))
    events = [json.loads(line[6:]) for line in heard.split(b"\n") if line.startswith(b"data: ")]
    (start,) = [event["message"] for event in events if event["type"] == "message_start"]
    assert all("diagnostics" not in event for event in events)
    return {**start, "usage": events[-2]["usage"]}


def reason(message: Json) -> Json:
    return dict(message["diagnostics"]["cache_miss_reason"])


@pytest.mark.parametrize("stream", [True, False])
def test_the_first_turn_and_one_that_goes_on_part_nowhere(stream: bool) -> None:
    on = keeper()
    first = ask(on, FIRST, stream=stream)
    assert first["diagnostics"] is None
    second = ask(on, FIRST, YES, ON, previous=first["id"], stream=stream)
    assert second["diagnostics"] is None
    again = ask(on, FIRST, YES, ON, previous=second["id"], stream=stream)
    assert again["diagnostics"] is None


def test_who_does_not_ask_is_not_told() -> None:
    on = keeper()
    assert "diagnostics" not in ask(on, FIRST, diagnostics=...)
    assert "diagnostics" not in ask(on, FIRST, diagnostics=None)
    assert ask(on, FIRST, diagnostics={})["diagnostics"] is None


@pytest.mark.parametrize(
    ("fields", "expected", "least", "most"),
    [
        ({"model": "another"}, "model_changed", 1.0, 1.0),
        ({"system": [SYSTEM[0], {"type": "text", "text": "Be long. " * 40}]}, "system_changed", 0.5, 0.7),
        ({"system": SYSTEM[:1]}, "system_changed", 0.5, 0.7),
        ({"tools": TOOLS[:1]}, "tools_changed", 0.8, 1.0),
        ({"tools": [TOOLS[0], {**TOOLS[1], "description": "Reads."}]}, "tools_changed", 0.8, 1.0),
        ({"system": SYSTEM[:1], "tools": TOOLS[:1]}, "system_changed", 0.5, 0.7),
        ({"model": "another", "tools": TOOLS[:1]}, "model_changed", 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_parts_the_head(stream: bool, fields: Json, expected: str, least: float, most: float) -> None:
    on = keeper()
    first = ask(on, FIRST)
    told = reason(ask(on, FIRST, YES, ON, previous=first["id"], stream=stream, **fields))
    assert told["type"] == expected
    assert least <= told["cache_missed_input_tokens"] / first["usage"]["input_tokens"] <= most
    assert set(told) == {"type", "cache_missed_input_tokens"}


def test_what_is_asked_for_otherwise_is_not_compared_further() -> None:
    on = keeper()
    first = ask(on, FIRST, thinking={"type": "enabled", "budget_tokens": 1024})
    other: Json = {"role": "user", "content": "another question"}
    thinking = {"type": "disabled"}
    told = reason(ask(on, other, YES, ON, previous=first["id"], thinking=thinking))
    assert told == {"type": "unavailable"}
    told = reason(ask(on, FIRST, YES, ON, previous=first["id"], thinking=thinking, tools=TOOLS[:1]))
    assert told["type"] == "tools_changed"


@pytest.mark.parametrize(
    ("messages", "least", "most"),
    [
        ([{"role": "user", "content": "another question " * 20}, YES, ON, YES, ON], 0.2, 0.4),
        ([FIRST, YES, {"role": "user", "content": "no " * 20}, YES, ON], 0.05, 0.15),
        ([FIRST, YES, {"role": "user", "content": "said anew"}], 0.05, 0.15),
        ([FIRST], 0.05, 0.15),
    ],
    ids=["first turn edited", "later turn edited", "newest turn said anew", "turns gone"],
)
def test_messages_that_are_not_what_they_were(messages: list[Json], least: float, most: float) -> None:
    on = keeper()
    ask(on, FIRST)
    second = ask(on, FIRST, YES, ON)
    told = reason(ask(on, *messages, previous=second["id"]))
    assert told["type"] == "messages_changed"
    assert least <= told["cache_missed_input_tokens"] / second["usage"]["input_tokens"] <= most


def test_an_answer_that_comes_back_otherwise_is_no_part_of_the_request_before() -> None:
    on = keeper()
    first = ask(on, FIRST)
    assert ask(on, FIRST, {"role": "assistant", "content": "No."}, ON, previous=first["id"])["diagnostics"] is None


def test_what_a_rule_has_mended_parts_nothing() -> None:
    on = keeper()

    def header(number: int) -> list[Json]:
        line = f"x-anthropic-billing-header: cc_version=2.1.114.{number}; cc_entrypoint=cli; cch={number:05};"
        return [{"type": "text", "text": line}, *SYSTEM]

    first = ask(on, FIRST, system=header(1))
    assert ask(on, FIRST, YES, ON, previous=first["id"], system=header(2))["diagnostics"] is None


def test_a_message_that_nobody_knows() -> None:
    on = keeper()
    first = ask(on, FIRST)
    for name in ("msg_01Xyz", "x", first["id"] + "0"):
        assert reason(ask(on, FIRST, YES, ON, previous=name)) == {"type": "previous_message_not_found"}


def test_an_older_one_may_be_named_as_long_as_it_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry names the answer before the one that it did not get."""
    on = keeper()
    silent = ask(on, FIRST, diagnostics=...)
    asking = ask(on, FIRST, YES, ON)
    last = ask(on, FIRST, YES, ON, YES, ON, previous=asking["id"])
    assert last["diagnostics"] is None
    assert ask(on, FIRST, YES, ON, YES, ON, previous=asking["id"])["diagnostics"] is None
    assert reason(ask(on, FIRST, YES, ON, previous=silent["id"])) == {"type": "previous_message_not_found"}
    monkeypatch.setattr(journals, "_KEPT_NAMED", 1)
    ask(on, {"role": "user", "content": "elsewhere"})
    assert reason(ask(on, FIRST, YES, ON, previous=asking["id"])) == {"type": "previous_message_not_found"}


def test_a_server_that_counts_nothing_is_reckoned_from_bytes() -> None:
    on = keeper()
    body = request(FIRST, system=SYSTEM, diagnostics={"previous_message_id": None})
    book = Playbook(body, on, {"x-claude-code-session-id": "s"})
    whole = chat(Answer("Yes."), counts=Counts(0, 9, 2, 1.0))
    bare = b"\n\n".join(part for part in whole.split(b"\n\n") if b"usage" not in part and b"timings" not in part)
    book.answer_with(
        bare + b'\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    start = json.loads(book.heard().split(b"data: ")[1].split(b"\n")[0])["message"]
    told = reason(ask(on, FIRST, YES, ON, previous=start["id"], system=SYSTEM[:1], tools=...))
    assert told["type"] == "system_changed"
    assert 100 < told["cache_missed_input_tokens"] < 400


def test_a_wrong_member_is_refused_as_the_api_does() -> None:
    book = Playbook(request(FIRST, diagnostics={"previous_message_id": 7})).commands_seen()
    assert b"diagnostics" in book.heard()
    assert b"invalid_request_error" in book.heard()
