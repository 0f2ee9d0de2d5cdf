"""The block size that vLLM tells among its metrics."""

from __future__ import annotations

import pytest

from keepwarm.upstream.vllm import block, settings

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
