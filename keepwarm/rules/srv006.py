"""
## What it does
Names a server that does not say how many tokens of a prompt it reused.

## Why it costs you
It costs nothing by itself, but nobody can see what does: keepwarm then knows where a prompt parts from the one
before, and not what the cache made of it. Not reported is not zero, so such a request gets no share of a hit rate.

## Example
    "usage": {"prompt_tokens": 18230, "completion_tokens": 41, "prompt_tokens_details": null}

## What goes upstream instead
Nothing changes in the prompt. vLLM reports it with `--enable-prompt-tokens-details` (in `/v1/chat/completions`; its
`/v1/messages` needs the same flag), SGLang with `--enable-cache-report`. Ollama and LM Studio have no such field:
there `prompt_eval_duration` and the time to the first token are all there is.

## When it is wrong to apply
It changes nothing.

## Source
vLLM `vllm/entrypoints/openai/cli_args.py`, vllm-project/vllm#16162; SGLang `python/sglang/srt/server_args.py`.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV006", "reuse-not-reported", Safety.EXACT, __doc__ or "")
