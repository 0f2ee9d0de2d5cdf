"""
## What it does
Names a request that found the end of its conversation's context.

## Why it costs you
A full context is handled in one of three ways, and two of them cost the cache. llama.cpp refuses a prompt that does
not fit ("exceeds the available context size", `exceed_context_size_error`) and ends an answer at the last token;
nothing is lost. With `--context-shift` it drops half of what stands behind the first `n_keep` tokens (none, by
default) while it generates: from then on its slot holds a text that nobody sent, and the next prompt finds nothing in
it. Ollama leaves the oldest messages of a prompt out that is longer than its context, each turn some more, so that
the model forgets and hardly anything behind the system prompt is reused.

## Example
    context 2,048: prompt 1,910 and answer 300 tokens; the next prompt, shortened by the client, is expected to reuse
    1,500 of them, and the server reports 0

## What goes upstream instead
The client's own words. Give the conversation more room, and the client the truth about it: `--ctx-size` of llama.cpp
is shared by the slots of `--parallel`, so each has a part of it unless `--kv-unified` is set; `OLLAMA_CONTEXT_LENGTH`
or `num_ctx` of Ollama starts at 4,096 on small cards; `--max-model-len` of vLLM, `--context-length` of SGLang. Then
let the agent know how much that is, so that it compacts before it is full. Leave `--context-shift` off.

## When it is wrong to apply
It changes nothing.

## Source
llama.cpp server-context.cpp (context shift); ollama/ollama docs/context-length.mdx; measured on xllamacpp 2026.10.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV003", "context-full", Safety.EXACT, __doc__ or "")
