"""The generator's promises: the same seed says the same, and the truth is what the bodies say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.testing.answers import content_text
from keepwarm.testing.messages_shapes import as_chat
from keepwarm.testing.scenarios.injection import Shape
from keepwarm.testing.scenarios.plan import Size
from keepwarm.testing.scenarios.scenario import Client, Scenario
from keepwarm.testing.scenarios.table import INJECTIONS
from tests.testing.scenarios.bodies import first_difference

# Causes that are not in the client's bytes: who answers, how it was tokenised, what a server does with a message.
NOT_IN_THE_BODY = frozenset(("SEA001", "SEA002", "HIS008", "ROL001"))
CLEAN = [name for name, injection in INJECTIONS.items() if not injection.code]
NAMES = [
    name
    for name, injection in INJECTIONS.items()
    if injection.code not in NOT_IN_THE_BODY and not injection.across and injection.code
]
shapes = st.sampled_from(("messages", "chat"))
sizes = st.builds(
    Size,
    system=st.integers(200, 3000),
    tools=st.integers(6, 20),
    tool=st.integers(40, 300),
    said=st.integers(80, 400),
    result=st.integers(80, 900),
    thinking=st.integers(40, 300),
)


@st.composite
def scenarios(draw: st.DrawFn, names: list[str]) -> Scenario:
    """A scenario with one injection."""
    name = draw(st.sampled_from(names))
    shape = draw(st.sampled_from(INJECTIONS[name].shapes))
    numbers = draw(st.integers(0, 10_000)), draw(st.integers(5, 14))
    return Scenario((name,), *numbers, shape, draw(st.booleans()), draw(st.booleans()), draw(sizes))


def true_paths(client: Client) -> dict[int, str]:
    """The path of the one cause of each request that has one."""
    return {request.number: request.truth.causes[0].path for request in client.requests() if request.truth.causes}


def body_paths(client: Client) -> dict[int, str]:
    """The same, read from the bodies."""
    requests, asks = client.requests(), client.plan.asks
    found = {
        ask.number: first_difference(requests[ask.before].body, asks[ask.before], requests[ask.number].body)
        for ask in asks
        if ask.before is not None
    }
    return {number: path for number, path in found.items() if path is not None}


@given(scenarios(NAMES))
@settings(max_examples=150)
def test_the_truth_is_the_first_place_where_the_bodies_differ(scenario: Scenario) -> None:
    client = Client(scenario)
    assert true_paths(client) == body_paths(client)


@pytest.mark.parametrize("name", NAMES)
def test_every_injection_parts_something(name: str) -> None:
    for shape in INJECTIONS[name].shapes:
        client = Client(Scenario((name,), shape=shape))
        assert true_paths(client) == body_paths(client) != {}
        codes = {cause.code for request in client.requests() for cause in request.truth.causes}
        assert codes == {INJECTIONS[name].code}


@given(scenarios([*CLEAN, "ROL001-inline", "SEA001-title", "SEA001-helpers", "SEA002-replicas", "HIS008-pieces"]))
@settings(max_examples=100)
def test_where_the_client_changes_nothing_the_bodies_only_go_on(scenario: Scenario) -> None:
    client = Client(scenario)
    assert body_paths(client) == {}
    if scenario.injections[0] in CLEAN:
        assert all(request.truth.clean for request in client.requests())
    else:
        assert any(not request.truth.clean for request in client.requests())


@given(scenarios(list(INJECTIONS)))
@settings(max_examples=40)
def test_the_same_seed_says_the_same(scenario: Scenario) -> None:
    assert Client(scenario).requests() == Client(scenario).requests()


def test_another_seed_or_injection_says_something_else() -> None:
    one = Client(Scenario(seed=1)).requests()[0].body
    assert one != Client(Scenario(seed=2)).requests()[0].body
    system = [json.loads(Client(Scenario((name,))).requests()[0].body)["system"] for name in ("clean", "HIS001-gone")]
    assert system[0] != system[1]


@given(st.sampled_from([name for name in INJECTIONS if len(INJECTIONS[name].shapes) == 2]), st.integers(0, 999))
@settings(max_examples=60)
def test_both_protocols_say_the_same(name: str, seed: int) -> None:
    rows = [Client(Scenario((name,), seed=seed, shape=shape)).requests() for shape in ("messages", "chat")]
    assert len(rows[0]) == len(rows[1])
    for one, other in zip(*rows, strict=True):
        said, chat = as_chat(json.loads(one.body)), json.loads(other.body)
        assert spoken(said) == spoken(chat)
        assert [(cause.code, cause.fixable) for cause in one.truth.causes] == [
            (cause.code, cause.fixable) for cause in other.truth.causes
        ]
        assert one.truth.before == other.truth.before


def spoken(chat: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """(the tools, every word in a chat body by role), whatever its shape; white space between blocks is no word."""
    rows: dict[str, list[str]] = {}
    for message in chat["messages"]:
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        said = [content_text(message.get("content")), message.get("reasoning_content") or ""]
        said += [f"{call['name']} {json.loads(call['arguments'])}" for call in calls]
        rows.setdefault(message["role"], []).extend(" ".join(said).split())
    row = rows.pop("system")
    return chat.get("tools") or [], [*"".join(row), *sorted(rows.items())]


def test_several_injections_each_have_their_cause_and_their_own_place() -> None:
    names = ("VOL001-each", "ORD001-once", "HIS001-moved", "HIS003-rewritten")
    request = Client(Scenario(names)).requests()[4]
    assert {cause.code: cause.path for cause in request.truth.causes} == {
        "VOL001": "/system/0/text",
        "ORD001": "/tools/4",
        "HIS001": "/messages/6/content/0/text",
        "HIS003": "/messages/7/content/1/input",
    }
    for cause in request.truth.causes:
        assert value_at(json.loads(request.body), cause.path)


@given(st.lists(st.sampled_from([name for name in NAMES if INJECTIONS[name].course is None]), min_size=2, max_size=4,
                unique=True), shapes, st.integers(0, 99))  # fmt: skip
@settings(max_examples=60)
def test_every_place_of_several_stands_in_the_body(names: list[str], shape: Shape, seed: int) -> None:
    if not all(shape in INJECTIONS[name].shapes for name in names):
        return
    for request in Client(Scenario(tuple(names), seed=seed, shape=shape)).requests():
        for cause in request.truth.causes:
            # A member that is gone has its place in what is there.
            value_at(json.loads(request.body), cause.path.removesuffix("/reasoning_content"))


def value_at(value: Any, pointer: str) -> Any:
    """What a JSON pointer points at; KeyError or IndexError for nothing."""
    for name in pointer.split("/")[1:]:
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_only_one_injection_may_say_how_the_conversation_goes() -> None:
    with pytest.raises(ValueError, match="only one"):
        Client(Scenario(("clean-fork", "clean-rewind")))
    with pytest.raises(KeyError):
        Client(Scenario(("VOL999-never",)))


def test_a_client_says_who_it_is_or_not() -> None:
    known = dict(Client(Scenario()).requests()[0].headers)
    chats = dict(Client(Scenario(shape="chat")).requests()[0].headers)
    unknown = dict(Client(Scenario(identity=False)).requests()[0].headers)
    assert known.keys() - unknown.keys() == {"x-claude-code-session-id"}
    assert "x-session-id" in chats
    helpers = Client(Scenario(("clean-helpers",))).requests()
    assert {dict(request.headers).get("x-claude-code-agent-id") for request in helpers} == {None, "agent0", "agent1"}


def test_what_was_heard_goes_back() -> None:
    client = Client(Scenario())
    client.request(0)
    client.hear(0, ["call-one", "call-two"], "signed")
    body = json.loads(client.request(1).body)
    assert [block.get("id") for block in body["messages"][1]["content"]] == [None, None, "call-one", "call-two"]
    assert body["messages"][1]["content"][0]["signature"] == "signed"
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["call-one", "call-two"]


def test_another_sessions_head_is_told_across() -> None:
    client = Client(Scenario(("VOL001-session",)))
    found = [(request.number, cause) for request in client.requests() for cause in request.truth.causes]
    first = next(ask.number for ask in client.plan.asks if ask.session == "two")
    assert [(number, cause.code, cause.path, cause.across) for number, cause in found] == [
        (first, "VOL001", "/system/0/text", True)
    ]


def test_only_what_cannot_be_mended_is_left_in_the_plain_bodies() -> None:
    client = Client(Scenario(("VOL001-each", "HIS005-opening")))
    plain = [json.loads(client.unfixed(number)) for number in range(8)]
    assert not any("billing" in json.dumps(body) for body in plain)
    openings = [body["messages"][0]["content"][0]["text"] for body in plain]
    assert len(set(openings)) == 2
