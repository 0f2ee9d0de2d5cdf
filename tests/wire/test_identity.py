"""Who is speaking."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.wire.api import ClientFacts
from keepwarm.wire.identity import identity, program, session_of

SESSION = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
OLD = f"user_{'0a' * 32}_account__session_{SESSION}"
NEW = json.dumps({"device_id": "0a" * 32, "account_uuid": "", "session_id": SESSION})


def test_claude_code_says_all_of_it() -> None:
    headers = {
        "X-Claude-Code-Session-Id": SESSION,
        "x-claude-code-agent-id": "a1b2c3",
        "X-CLAUDE-CODE-REQUEST-CLASS": "subagent",
        "User-Agent": "claude-cli/2.1.328 (external, sdk-cli)",
    }
    assert identity(headers, NEW) == ClientFacts(
        session=SESSION,
        agent="a1b2c3",
        request_class="subagent",
        client="claude-cli/2.1.328",
        trust="x-claude-code-session-id",
    )


@pytest.mark.parametrize("user_id", [OLD, OLD.replace("account__", "account_" + SESSION + "_"), NEW])
def test_the_session_in_both_shapes_of_user_id(user_id: str) -> None:
    assert session_of(user_id) == SESSION
    assert identity({}, user_id) == ClientFacts(session=SESSION, trust="metadata.user_id")


@pytest.mark.parametrize(
    "user_id",
    ["", "user-123", '{"device_id":"x"}', '{"session_id":7}', "{", "[]", f"x{OLD}", '{"a":' * 100_000],
)
def test_any_other_user_id_names_no_session(user_id: str) -> None:
    assert session_of(user_id) == ""
    assert identity({}, user_id) == ClientFacts()


def test_the_more_trusted_name_is_taken() -> None:
    order = ["x-claude-code-session-id", "thread-id", "x-session-affinity", "x-session-id", "session_id"]
    headers = {name: f"from {name}" for name in order}
    for name in order:
        facts = identity(headers, OLD)
        assert (facts.session, facts.trust) == (f"from {name}", name)
        headers[name] = " "
    assert identity(headers, OLD).trust == "metadata.user_id"
    assert identity(headers, OLD, cache_key="k", user="u").trust == "prompt_cache_key"
    assert identity(headers, user="u") == ClientFacts(session="u", trust="user")
    assert identity(headers, "no session in it", user="") == ClientFacts()


@pytest.mark.parametrize("name", ["x-parent-session-id", "X-Codex-Parent-Thread-Id"])
def test_a_parent_is_named(name: str) -> None:
    assert identity({name: "p"}, "").parent == "p"


@pytest.mark.parametrize(
    ("user_agent", "name", "version"),
    [
        ("claude-cli/2.1.114 (external, sdk-cli)", "claude-cli", "2.1.114"),
        ("Anthropic/Python 2.12.0", "Anthropic/Python", "2.12.0"),
        ("ai-sdk/anthropic/1.2.3 runtime/node", "ai-sdk/anthropic", "1.2.3"),
        ("tool/v3.0-beta.1", "tool", "3.0-beta.1"),
        ("something", "something", ""),
        ("", "", ""),
    ],
)
def test_programs(user_agent: str, name: str, version: str) -> None:
    assert program(user_agent) == (name, version)


@given(st.text(), st.text())
def test_nothing_that_is_said_is_an_error(user_agent: str, user_id: str) -> None:
    identity({"user-agent": user_agent}, user_id)
