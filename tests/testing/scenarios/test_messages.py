"""A view as a Messages body, read by the gateway's own reader."""

from __future__ import annotations

import json

from keepwarm.testing.scenarios.messages import write
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.truth import Place
from keepwarm.testing.scenarios.view import Call, Message, Text, View
from keepwarm.testing.scenarios.written import Heard
from keepwarm.wire import anthropic

ASKED = Message("user", (Text("look", "u0.0"),), "u0", listed=False)


def test_every_request_is_one_that_the_gateway_reads() -> None:
    for request in Client(Scenario(("clean-pictures",))).requests():
        parsed = anthropic.parse(request.body)
        assert [anthropic.message(raw, at) for at, raw in enumerate(parsed.messages_raw)]
        assert [anthropic.tool(raw, at).schema for at, raw in enumerate(parsed.tools_raw)]
        assert parsed.options.stream


def test_arguments_stand_as_they_were_generated() -> None:
    answer = Message("assistant", (Call("Bash", '{"b":  1.50, "a": 2}', "a0.0"),), "a0")
    written = write(View("m", (), (), (ASKED, answer)), Heard({"a0.0": "call-1"}))
    assert b'"id":"call-1","name":"Bash","input":{"b":  1.50, "a": 2}' in written.body
    assert written.pointer(Place("part", "a0.0", field="words")) == "/messages/1/content/0/input"


def test_a_mark_makes_a_list_of_a_string() -> None:
    marked = Message("user", ASKED.parts, "u0", listed=False, marked=True)
    for message, path in ((ASKED, "/messages/0/content"), (marked, "/messages/0/content/0/text")):
        written = write(View("m", (), (), (message,)), Heard())
        assert written.pointer(Place("part", "u0.0", field="words")) == path
    assert json.loads(written.body)["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


def test_messages_come_before_system_and_tools() -> None:
    body = json.loads(Client(Scenario()).requests()[0].body)
    assert list(body) == ["model", "messages", "system", "tools", "max_tokens", "thinking", "stream"]
