"""The probe's bodies, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keepwarm.checks.cache_probe import Measured, Probe, Step, judge_probe, read_answer, request, reuses


def measured(step: Step, cached: int | None, ms: float = 100.0, **more: Any) -> Measured:
    """A request of 1,000 tokens."""
    return Measured(step, 200, ms, 1000, cached, **more)


def codes(*steps: Measured, name: str = "llama.cpp") -> dict[str, str]:
    """Severity by code."""
    return {one.code: one.severity for one in judge_probe(Probe(steps), name)}


def test_the_same_prompt_is_the_same_bytes_and_another_head_is_not() -> None:
    steps: tuple[Step, ...] = ("cold", "same", "line", "head")
    bodies = {step: request(step, "n", "m", 1).body for step in steps}
    assert bodies["cold"] == bodies["same"]
    first, line, head = (json.loads(bodies[step])["messages"][0]["content"] for step in ("cold", "line", "head"))
    assert first.replace("0d0d0", "e1e1e") == line
    assert first.replace("Probe", "Another") == head
    assert json.loads(bodies["cold"])["id_slot"] == 1
    assert "id_slot" not in json.loads(request("cold", "n", "m", None).body)
    assert json.loads(request("asked", "n", "m", None).body)["cache_prompt"] is True
    assert request("cold", "other", "m", 1).body != bodies["cold"]


def test_the_messages_api_is_asked_in_its_own_shape() -> None:
    plain, masked = (json.loads(request(step, "n", "m", 3).body) for step in ("messages", "masked"))
    assert [len(plain["system"]), plain["system"][1]] == [2, masked["system"][1]]
    assert plain["system"][0] != masked["system"][0]
    assert request("messages", "n", "m", None).path == "/v1/messages"


def test_counts_in_both_protocols_and_none_where_nothing_is_said() -> None:
    chat = b'{"usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":4}},"timings":{"prompt_ms":3.5}}'
    assert read_answer("cold", 200, chat, 9.0) == Measured("cold", 200, 9.0, 10, 4, 3.5)
    native = b'{"usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1}}'
    assert read_answer("cold", 200, native, 9.0) == Measured("cold", 200, 9.0, 10, 4)
    quiet = b'{"usage":{"prompt_tokens":10,"prompt_tokens_details":null}}'
    assert read_answer("cold", 200, quiet, 9.0) == Measured("cold", 200, 9.0, 10, None)
    assert read_answer("cold", 200, b"<html>", 9.0) == Measured("cold", 200, 9.0)
    assert read_answer("cold", 500, chat, 9.0) == Measured("cold", 500, 9.0)


def test_a_good_server() -> None:
    steps: tuple[Step, ...] = ("same", "line", "head", "masked")
    found = codes(measured("cold", 0), *(measured(step, 990) for step in steps))
    assert set(found.values()) == {"ok", "info"}
    assert found.keys() >= {"reuse", "reports", "line-removed", "head-reused", "header-masked"}


def test_a_changed_head_that_costs() -> None:
    steps: tuple[Step, ...] = ("line", "head", "masked")
    found = codes(measured("cold", 0), measured("same", 999), *(measured(step, 30) for step in steps))
    assert (found["line-costs"], found["head-costs"], found["header-not-masked"]) == ("warn", "info", "warn")


def test_no_reuse_at_all_and_reuse_that_must_be_asked_for() -> None:
    assert codes(measured("cold", 0), measured("same", 0))["no-reuse"] == "bad"
    assert codes(measured("cold", 0), measured("same", 0), measured("asked", 0))["no-reuse"] == "bad"
    asked = codes(measured("cold", 0), measured("same", 0), measured("asked", 999))
    assert asked["cache-prompt-off"] == "bad"
    assert "no-reuse" not in asked


def test_a_server_that_reports_nothing_is_judged_by_times_where_they_are_far_apart() -> None:
    far = codes(measured("cold", None, 900), measured("same", None, 90), name="vLLM")
    assert (far["reuse"], far["reports-nothing"]) == ("ok", "warn")
    near = codes(measured("cold", None, 100), measured("same", None, 90), name="vLLM")
    assert near["reuse-unknown"] == "info"
    assert reuses(measured("cold", None, 40), measured("same", None, 4)) is None


def test_the_rate_is_the_servers_own_else_what_the_reuse_saved_else_unknown() -> None:
    assert Probe((measured("cold", 0, prompt_ms=500.0), measured("same", 999))).rate == pytest.approx(2000)
    assert Probe((measured("cold", None, 1100), measured("same", None, 100))).rate == pytest.approx(1000)
    assert Probe((measured("cold", None, 100), measured("same", None, 90))).rate is None
    assert Probe(()).rate is None


def test_what_was_not_sent_or_not_answered_is_said() -> None:
    assert [one.title for one in judge_probe(Probe(skipped="nobody asked"), "")] == ["Not probed: nobody asked."]
    failed = judge_probe(Probe((Measured("cold", 401, 1.0),)), "chat")
    assert [one.code for one in failed] == ["probe-failed"]
    assert "401" in failed[0].title
    assert "no answer" in judge_probe(Probe((Measured("cold", 0, 1.0),)), "chat")[0].title


def test_the_command_is_the_servers_own() -> None:
    lost = (measured("cold", None, 900), measured("same", None, 90))
    commands = {
        name: {one.code: one.command for one in judge_probe(Probe(lost), name)}["reports-nothing"]
        for name in ("vLLM", "SGLang", "another")
    }
    assert commands == {
        "vLLM": "vllm serve ... --enable-prompt-tokens-details",
        "SGLang": "python -m sglang.launch_server ... --enable-cache-report",
        "another": "",
    }
