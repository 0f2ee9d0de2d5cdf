"""What vLLM tells of itself: the block size among its metrics, and what its template makes of reasoning."""

from __future__ import annotations

import json

import pytest

from keepwarm.upstream.vllm import block, drops_thinking, is_vllm, settings, thoughts

TOLD = b"""# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{_block_size_resolved="True",block_size="32",cache_dtype="auto",engine="0"} 1.0
vllm:num_requests_running{engine="0",model_name="tiny"} 0.0
"""


def test_it_is_read_from_the_labels() -> None:
    assert block(TOLD) == 32


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b'{"error": "not found"}',
        TOLD.replace(b'"32"', b'"None"'),
        TOLD.replace(b' block_size="32"', b"").replace(b',block_size="32"', b""),
        b'# HELP vllm:cache_config_info{block_size="32"}\n',
    ],
)
def test_what_does_not_say_it_is_unknown(other: bytes) -> None:
    assert block(other) == 0


def test_it_is_asked_for_with_the_key() -> None:
    asked = settings((("authorization", "Bearer x"),))
    assert (asked.method, asked.path, asked.headers) == ("GET", "/metrics", (("authorization", "Bearer x"),))


def test_who_has_its_figures_is_vllm() -> None:
    assert is_vllm(TOLD)
    assert not is_vllm(b"")
    assert not is_vllm(b"sglang:num_running_reqs 0.0\n# vllm: no\n")


def test_the_reasoning_is_asked_for_with_and_without_the_switches() -> None:
    plain, told = thoughts((("authorization", "Bearer x"),))
    assert {one.path for one in (plain, told)} == {"/tokenize"}
    assert all(("authorization", "Bearer x") in one.headers for one in (plain, told))
    bodies = [json.loads(one.body) for one in (plain, told)]
    assert bodies[1] == bodies[0] | {"chat_template_kwargs": {"preserve_thinking": True, "clear_thinking": False}}
    assert [message["role"] for message in bodies[0]["messages"]] == ["user", "assistant", "user"]
    assert bodies[0]["messages"][1]["reasoning"]


@pytest.mark.parametrize(
    ("plain", "told", "drops"),
    [
        ((200, b'{"count": 20, "tokens": []}'), (200, b'{"count": 60}'), True),
        ((200, b'{"count": 60}'), (200, b'{"count": 60}'), False),
        ((200, b'{"count": 60}'), (200, b'{"count": 20}'), False),
        # A Mistral tokenizer refuses the switches.
        ((200, b'{"count": 20}'), (400, b'{"error": {"message": "chat_template is not supported"}}'), False),
        ((404, b""), (404, b""), False),
        ((0, b""), (200, b'{"count": 60}'), False),
        ((200, b"<html>"), (200, b'{"count": "many"}'), False),
    ],
)
def test_only_a_template_that_heeds_them_is_told(
    plain: tuple[int, bytes], told: tuple[int, bytes], drops: bool
) -> None:
    assert drops_thinking(plain, told) is drops
