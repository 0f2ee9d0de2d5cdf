"""How Claude Code is started, and what its settings get. The real one: tests/shell/test_run_agents.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.clients.api import Door, Launch, Want
from keepwarm.clients.claude import CLAUDE, launch, needs_key

DOOR = Door("http://127.0.0.1:8787", "qwen3", 65_536)


def started(*arguments: str, door: Door = DOOR, **environment: str) -> Launch:
    return launch(door, arguments, environment, "/tmp/own")


def settings(one: Launch) -> dict[str, Any]:
    """What `--settings` says, which wins over the user's files."""
    return json.loads(one.arguments[one.arguments.index("--settings") + 1])["env"]


def test_a_local_model() -> None:
    one = started("-p", "hi")
    assert one.arguments[2:] == ("-p", "hi")
    assert one.variables == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8787",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "65536",
        "ANTHROPIC_MODEL": "qwen3",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "qwen3",
        "ANTHROPIC_AUTH_TOKEN": "keepwarm",
    }
    assert settings(one) == {name: value for name, value in one.variables.items() if name != "ANTHROPIC_AUTH_TOKEN"}
    assert {"ANTHROPIC_API_KEY", "CLAUDE_CODE_USE_BEDROCK"} <= set(one.without)


def test_a_real_key_does_not_go_to_a_local_model() -> None:
    one = started(ANTHROPIC_API_KEY="sk-real", ANTHROPIC_AUTH_TOKEN="real")
    assert one.variables["ANTHROPIC_AUTH_TOKEN"] == "keepwarm"
    assert "ANTHROPIC_API_KEY" in one.without


def test_a_key_goes_on_to_a_server_that_sells_answers() -> None:
    far = Door("http://127.0.0.1:8787", local=False)
    one = started(door=far, ANTHROPIC_API_KEY="sk-real")
    assert "ANTHROPIC_AUTH_TOKEN" not in one.variables
    assert "ANTHROPIC_API_KEY" not in one.without
    assert "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC" not in one.variables


def test_its_own_vendor_gets_the_header_that_it_reads() -> None:
    one = started(door=Door("http://127.0.0.1:8787", local=False, first_party=True))
    assert "CLAUDE_CODE_ATTRIBUTION_HEADER" not in one.variables.keys() | settings(one).keys()


def test_the_gateways_key_takes_the_keys_place_and_stands_in_no_argument() -> None:
    one = started(door=Door("http://127.0.0.1:1", key="gate"), ANTHROPIC_API_KEY="sk-real")
    assert one.variables["ANTHROPIC_AUTH_TOKEN"] == "gate"
    assert "gate" not in " ".join(one.arguments)


def test_what_the_user_says_of_the_model_stands() -> None:
    one = started(ANTHROPIC_MODEL="mine", CLAUDE_CODE_MAX_CONTEXT_TOKENS="9")
    assert not {"ANTHROPIC_MODEL", "CLAUDE_CODE_MAX_CONTEXT_TOKENS"} & (one.variables.keys() | settings(one).keys())
    assert started(ANTHROPIC_BASE_URL="http://else").variables["ANTHROPIC_BASE_URL"] == DOOR.url


def test_a_small_context_is_not_told() -> None:
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in started(door=Door(DOOR.url, "m", 8192)).variables


@pytest.mark.parametrize("arguments", [("mcp", "list"), ("--settings", "mine.json")])
def test_nothing_is_put_in_front_of_a_sub_command_or_of_other_settings(arguments: tuple[str, ...]) -> None:
    assert started(*arguments).arguments == arguments


@pytest.mark.parametrize(
    ("want", "names"),
    [
        (Want(), ["CLAUDE_CODE_ATTRIBUTION_HEADER"]),
        (Want(version=(2, 1, 328)), ["CLAUDE_CODE_ATTRIBUTION_HEADER"]),
        (Want(DOOR, (2, 1, 114)), ["CLAUDE_CODE_ATTRIBUTION_HEADER", "ANTHROPIC_BASE_URL"]),
        (
            Want(DOOR, (2, 1, 328)),
            ["CLAUDE_CODE_ATTRIBUTION_HEADER", "CLAUDE_CODE_GATEWAY_HINT_HEADERS", "ANTHROPIC_BASE_URL"],
        ),
    ],
)
def test_what_settings_get(want: Want, names: list[str]) -> None:
    assert list(CLAUDE.wanted("", {}, want)["env"]) == names


def test_a_status_line_only_when_it_is_asked_for() -> None:
    assert "statusLine" not in CLAUDE.wanted("", {}, Want(DOOR))
    said = CLAUDE.wanted("", {}, Want(statusline="keepwarm statusline"))
    assert said["statusLine"] == {"type": "command", "command": "keepwarm statusline"}


def test_whether_it_would_ask_for_a_login() -> None:
    assert needs_key({}, {})
    assert not needs_key({"apiKeyHelper": "x"}, {})
    assert not needs_key({"env": {"ANTHROPIC_API_KEY": "x"}}, {})
    assert not needs_key({}, {"ANTHROPIC_AUTH_TOKEN": "x"})
