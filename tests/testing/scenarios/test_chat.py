"""A view as a chat completions body."""

from __future__ import annotations

import json

from keepwarm.testing.scenarios.chat import write
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.truth import Place
from keepwarm.testing.scenarios.view import Call, Image, Message, Result, Text, Thinking, Tool, View
from keepwarm.testing.scenarios.written import Heard

ASKED = Message("user", (Text("look", "u0.0"),), "u0", listed=False)
ANSWER = Message(
    "assistant", (Thinking("hm", "a0.thinking"), Text("I look.", "a0.text"), Call("Bash", '{"b":  1}', "a0.0")), "a0"
)
RESULTS = Message("user", (Result("a0.0", "one", "u1.0"), Text("and", "u1.1"), Image("AAAA", "u1.2")), "u1")
VIEW = View(
    "m", (Text("You are", "one"), Text("careful.", "two")), (Tool("Bash", "Runs.", {}),), (ASKED, ANSWER, RESULTS)
)


def test_a_turn_becomes_a_row_of_messages() -> None:
    body = json.loads(write(VIEW, Heard({"a0.0": "call-1"})).body)
    assert body["messages"] == [
        {"role": "system", "content": "You are\n\ncareful."},
        {"role": "user", "content": "look"},
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "call-1", "type": "function", "function": {"name": "Bash", "arguments": '{"b":  1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call-1", "content": "one"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
    ]


def test_everything_has_its_pointer() -> None:
    written = write(VIEW, Heard())
    places = {
        Place("model"): "/model",
        Place("system", "two", field="words"): "/messages/0/content",
        Place("tool", "Bash"): "/tools/0",
        Place("tool", "Bash", field="schema"): "/tools/0/function/parameters",
        Place("part", "u0.0", field="words"): "/messages/1/content",
        Place("part", "a0.thinking"): "/messages/2/reasoning_content",
        Place("part", "a0.0", field="words"): "/messages/2/tool_calls/0/function/arguments",
        Place("part", "u1.0", field="words"): "/messages/3/content",
        Place("part", "u1.1", field="words"): "/messages/4/content/0/text",
        Place("end", "u1"): "/messages/4",
        Place("part", "u1.reminder", field="words"): "/messages/4",
    }
    assert {place: written.pointer(place) for place in places} == places


def test_requests_ask_for_a_stream_with_counts() -> None:
    body = json.loads(Client(Scenario(shape="chat")).requests()[0].body)
    assert body["stream"]
    assert body["stream_options"] == {"include_usage": True}
