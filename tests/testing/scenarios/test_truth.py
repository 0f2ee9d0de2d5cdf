"""Where one view parts from another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from keepwarm.testing.scenarios.truth import Place, Truth, first_difference, head_difference
from keepwarm.testing.scenarios.view import Call, Image, Message, Result, Text, Thinking, Tool, View

SYSTEM = (Text("You are careful.", "opening"), Text("Be brief.", "rules"))
TOOLS = (Tool("Bash", "Runs.", {"type": "object", "required": []}), Tool("Read", "Reads.", {}))
ASKED = Message("user", (Text("look", "u0.0"), Image("AAAA", "u0.1")), "u0")
ANSWER = Message(
    "assistant", (Thinking("hm", "a0.thinking"), Text("I look.", "a0.text"), Call("Bash", "{}", "a0.0")), "a0"
)
RESULTS = Message("user", (Result("a0.0", "one", "u1.0"), Result("a0.1", "two", "u1.1")), "u1")
OLD = View("m", SYSTEM, TOOLS, (ASKED, ANSWER))
NEW = replace(OLD, messages=(ASKED, ANSWER, RESULTS))


def changed(message: int, *parts: object) -> View:
    messages = list(NEW.messages)
    messages[message] = replace(messages[message], parts=parts)
    return replace(NEW, messages=tuple(messages))


def test_a_view_that_goes_on_parts_nowhere() -> None:
    assert first_difference(OLD, NEW) is None
    listed = tuple(replace(message, listed=False, marked=True) for message in NEW.messages)
    assert first_difference(OLD, replace(NEW, messages=listed)) is None


@pytest.mark.parametrize(
    ("after", "place"),
    [
        (replace(NEW, model="other"), Place("model")),
        (replace(NEW, system=(replace(SYSTEM[0], text="x"), SYSTEM[1])), Place("system", "opening", field="words")),
        (replace(NEW, system=(Text("header", "billing"), *SYSTEM)), Place("system", "billing")),
        (replace(NEW, system=SYSTEM[:1]), Place("system")),
        (replace(NEW, tools=TOOLS[::-1]), Place("tool", "Read")),
        (replace(NEW, tools=(*TOOLS, Tool("Late", "", {}))), Place("tool", "Late")),
        (replace(NEW, tools=TOOLS[:1]), Place("tool")),
        (
            replace(NEW, tools=(replace(TOOLS[0], description="x"), TOOLS[1])),
            Place("tool", "Bash", field="description"),
        ),
        (
            replace(NEW, tools=(replace(TOOLS[0], schema={"required": [], "type": "object"}), TOOLS[1])),
            Place("tool", "Bash", field="schema"),
        ),
        (changed(0, Text("see", "u0.0"), ASKED.parts[1]), Place("part", "u0.0", field="words")),
        (changed(0, ASKED.parts[0], Image("BBBB", "u0.1")), Place("part", "u0.1", field="words")),
        (changed(0, ASKED.parts[0]), Place("end", "u0")),
        (changed(0, *ASKED.parts, Text("more", "u0.2")), Place("part", "u0.2")),
        (changed(1, *ANSWER.parts[1:]), Place("part", "a0.text", "a0.thinking")),
        (changed(1, *ANSWER.parts[:2], Call("Bash", '{"a": 1}', "a0.0")), Place("part", "a0.0", field="words")),
        (replace(NEW, messages=(ASKED, replace(RESULTS, tag="x"))), Place("message", "x")),
    ],
)  # fmt: skip
def test_the_first_place_is_found(after: View, place: Place) -> None:
    assert first_difference(OLD, after) == place


def test_results_in_another_order_are_other_things() -> None:
    turned = replace(NEW, messages=(ASKED, ANSWER, replace(RESULTS, parts=RESULTS.parts[::-1])))
    assert first_difference(NEW, turned) == Place("part", "u1.1", "u1.0")


def test_the_head_comes_first() -> None:
    after = replace(changed(0), tools=TOOLS[::-1])
    assert first_difference(OLD, after) == head_difference(OLD, after) == Place("tool", "Read")
    assert head_difference(OLD, changed(0)) is None


def test_a_request_without_a_cause_is_clean() -> None:
    assert Truth().clean
