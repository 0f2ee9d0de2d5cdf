"""
## What it does
Names a request whose prompt was the same up to a place that the server had processed, and which the server
processed again all the same.

## Why it costs you
The gateway kept the prefix; the server could not use it: its model cannot go back (sliding window, hybrid and
recurrent models say "forcing full prompt re-processing"), its cache was evicted or restarted, caching is
switched off, or the context was full and was cut.

## Example
    expected 41,200 cached tokens, the server reports 0

## What goes upstream instead
Nothing can be mended in the prompt. On llama.cpp look for `--swa-full`, `--ctx-checkpoints`, `--cache-ram`,
`--parallel` and the size of the context; on vLLM for `--enable-prefix-caching` and the size of the KV cache.

## When it is wrong to apply
It changes nothing.

## Source
ggml-org/llama.cpp#13194, #19794, #21831, #21133 and #27148, ollama/ollama#18072 and #16639.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV001", "server-dropped-cache", Safety.EXACT, __doc__ or "")
