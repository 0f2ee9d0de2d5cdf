"""What vLLM says of itself beside its answers (seen on vLLM 0.32). It is spoken to as `anthropic` or `chat`.

`GET /metrics` holds a gauge whose labels are the settings of the cache: vllm:cache_config_info{block_size="16",..}.
"""

from __future__ import annotations

import re
from typing import Final

from keepwarm.upstream.api import Outgoing

_BLOCK: Final = re.compile(rb'^vllm:cache_config_info\{[^}\n]*\bblock_size="(\d{1,6})"', re.MULTILINE)


def settings(headers: tuple[tuple[str, str], ...] = ()) -> Outgoing:
    """Ask for them."""
    return Outgoing("/metrics", b"", headers, "GET")


def block(metrics: bytes) -> int:
    """Tokens that the server caches together, from the answer; 0 where it does not say, as another server."""
    found = _BLOCK.search(metrics)
    return int(found[1]) if found else 0
