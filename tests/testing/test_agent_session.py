"""The synthetic agent has the shape of the client it stands for."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from keepwarm.testing.agent_script import AgentScript, plan_session
from keepwarm.testing.agent_session import AgentRequest, AgentSession, as_returned
from keepwarm.testing.agent_words import WORKING_FOLDER
from keepwarm.testing.answers import Answer
from keepwarm.testing.plain_chat import to_chat

HEADER = re.compile(
    r"x-anthropic-billing-header: cc_version=2\.1\.114\.[0-9a-f]{3}; cc_entrypoint=cli; cch=([0-9a-f]{5});"
)


def blocks_of(answer: Answer, number: int) -> list[dict[str, Any]]:
    """An answer as a gateway would hand it to the client."""
    blocks: list[dict[str, Any]] = []
    if answer.thinking:
        blocks.append({"type": "thinking", "thinking": answer.thinking, "signature": f"signed {number}"})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for place, (name, arguments) in enumerate(answer.tool_calls):
        call = {"type": "tool_use", "id": f"toolu_{number}_{place}", "name": name, "input": json.loads(arguments)}
        blocks.append(call)
    return blocks


def played(seed: int = 1, size: str = "demo") -> list[tuple[AgentRequest, dict[str, Any]]]:
    """Every request of a session whose model answers by the script, with its body read."""
    plan = plan_session(seed, size)
    session, script = AgentSession(plan), AgentScript(plan)
    rows: list[tuple[AgentRequest, dict[str, Any]]] = []
    while (request := session.next_request()) is not None:
        rows.append((request, json.loads(request.body)))
        if not request.beside:
            session.receive(blocks_of(script(json.loads(to_chat(request.body))), request.number))
    return rows


@pytest.fixture(scope="module")
def demo() -> list[tuple[AgentRequest, dict[str, Any]]]:
    """The demo's session."""
    return played()


def test_it_plays_three_user_turns_and_twelve_answers_with_tool_calls(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    last = [body for request, body in demo if request.kind == "main"][-1]
    typed = [m for m in last["messages"] if m["role"] == "user" and "tool_result" not in json.dumps(m)]
    calling = [m for m in last["messages"] if m["role"] == "assistant" and "tool_use" in json.dumps(m)]
    assert len(typed) == 3
    assert len(calling) == 12
    assert [request.kind for request, _ in demo].count("agent") == 3


def test_the_same_seed_sends_the_same_bytes_and_another_seed_others() -> None:
    assert [request.body for request, _ in played(5)] == [request.body for request, _ in played(5)]
    assert played(5)[1][0].body != played(6)[1][0].body


def test_messages_come_before_system_and_tools_and_the_header_is_new_each_time(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    values: list[str] = []
    for _, body in demo:
        keys = list(body)
        assert keys.index("messages") < keys.index("system") < keys.index("tools")
        found = HEADER.fullmatch(body["system"][0]["text"])
        assert found is not None
        assert "cache_control" not in body["system"][0]
        values.append(found[1])
    assert len(set(values)) == len(values)


def test_exactly_one_message_carries_the_mark_and_loses_it_by_turning_into_a_string(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    for _, body in demo:
        assert json.dumps(body["messages"]).count("cache_control") == 1
    first, second = [body["messages"] for request, body in demo if request.kind == "main"][:2]
    assert first[1]["role"] == "system"
    assert first[1]["content"][0]["text"] == second[1]["content"]


def test_inline_system_messages_hold_reminders_countdowns_and_nothing(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    last = [body for request, body in demo if request.kind == "main"][-1]["messages"]
    inline = [message["content"] for message in last if message["role"] == "system"]
    assert [] in inline
    assert any("<system-reminder>" in str(content) for content in inline)
    left = [int(n) for n in re.findall(r"<total_tokens>(\d+) tokens left</total_tokens>", json.dumps(last))]
    assert len(left) >= 4
    assert left == sorted(left, reverse=True)


def test_without_header_mark_and_shape_a_request_begins_with_the_one_before(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    def plain(body: dict[str, Any]) -> list[Any]:
        rows = [body["system"][1:], body["tools"]]
        for message in json.loads(json.dumps(body["messages"]).replace(', "cache_control": {"type": "ephemeral"}', "")):
            content = message["content"]
            if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
                message["content"] = content[0]["text"]
            rows.append(message)
        return rows

    for kind in ("main", "agent"):
        rows = [plain(body) for request, body in demo if request.kind == kind]
        for older, newer in itertools.pairwise(rows):
            assert newer[: len(older)] == older
            assert len(newer) > len(older)


def test_side_calls_share_the_session_and_have_another_shape(
    demo: list[tuple[AgentRequest, dict[str, Any]]],
) -> None:
    assert len({dict(request.headers)["x-claude-code-session-id"] for request, _ in demo}) == 1
    title, body = demo[0]
    assert title.beside
    assert body["tools"] == []
    agents = [(dict(request.headers), body) for request, body in demo if request.kind == "agent"]
    assert len({headers["x-claude-code-agent-id"] for headers, _ in agents}) == 1
    main = next(body for request, body in demo if request.kind == "main")
    assert 0 < len(agents[0][1]["tools"]) < len(main["tools"]) == 8
    assert agents[0][1]["system"][2:] == []


def test_tool_arguments_come_back_changed() -> None:
    bash = as_returned("Bash", {"description": "x", "command": f"cd {WORKING_FOLDER} && ls", "timeout": 5000.0})
    assert json.dumps(bash) == '{"command": "ls", "timeout": 5000, "description": "x"}'
    edit = as_returned("Edit", {"new_string": "a  \nb \n", "old_string": "c  ", "file_path": "f"})
    assert json.dumps(edit) == '{"replace_all": false, "file_path": "f", "old_string": "c  ", "new_string": "a\\nb\\n"}'
    assert as_returned("Write", {"content": "a\t\n", "file_path": "f"}) == {"file_path": "f", "content": "a\n"}
    assert as_returned("Read", {"file_path": "f", "limit": 2.5}) == {"file_path": "f", "limit": 2.5}


def test_thinking_comes_back_with_its_signature(demo: list[tuple[AgentRequest, dict[str, Any]]]) -> None:
    last = [body for request, body in demo if request.kind == "main"][-1]["messages"]
    thoughts = [b for m in last if m["role"] == "assistant" for b in m["content"] if b["type"] == "thinking"]
    assert len(thoughts) >= 5
    assert all(thought["signature"].startswith("signed ") for thought in thoughts)


def test_it_waits_for_the_answer() -> None:
    session = AgentSession(plan_session())
    side_call = session.next_request()
    assert side_call is not None
    assert side_call.beside
    with pytest.raises(RuntimeError, match="no answer is awaited"):
        session.receive([])
    session.next_request()
    with pytest.raises(RuntimeError, match="has not been received"):
        session.next_request()


def test_the_long_session_is_long() -> None:
    rows = played(size="long")
    assert len(json.loads(rows[1][0].body)["tools"]) == 20
    assert 100_000 < len(rows[-1][0].body) < 400_000
