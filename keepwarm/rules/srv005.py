"""
## What it does
Names a conversation that gave its slot up, or left the GPU's cache, and whose cache was gone when it came back.

## Why it costs you
With more conversations than slots llama.cpp keeps those that wait in its host cache (`--cache-ram`, 8,192 MiB), and
drops the oldest when it is full; an entry that is larger than all of it is not kept at all ("exceeds cache size
limit, skipping"). With `--cache-ram 0` there is none. A conversation of 66,000 tokens takes about 4 GiB with a model
of 27 billion parameters: two of them fill the default. vLLM and SGLang keep what they can in the blocks that no
request needs and give the block used longest ago away.

## Example
    slot 0: conversation A, then B, then A again: expected 2,633 cached tokens, the server reports 11

## What goes upstream instead
Nothing can be mended in the prompt. llama.cpp: a larger `--cache-ram` (-1 is without a limit), or a slot for each
conversation (`--parallel` with `--ctx-size` to match, or `--kv-unified`), smaller entries by `--cache-type-k q8_0
--cache-type-v q8_0`. vLLM: `--gpu-memory-utilization`, `--kv-cache-memory-bytes`, `--kv-offloading-size`, a smaller
`--max-num-seqs`. SGLang: `--mem-fraction-static`, `--enable-hierarchical-cache`. Fewer sub-agents at once.

With a sliding-window model it may as well be `--ctx-checkpoints 0` (SRV002): both leave nothing.

## When it is wrong to apply
It changes nothing.

## Source
ggml-org/llama.cpp#16391 (host cache), server-context.cpp; ollama/ollama#18072; measured on xllamacpp 2026.10.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV005", "evicted", Safety.EXACT, __doc__ or "")
