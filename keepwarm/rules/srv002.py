"""
## What it does
Names a request whose prompt parts from what the server has processed at a place to which its model cannot go back.

## Why it costs you
A usual KV cache keeps every token and can be cut at any of them. A sliding-window layer (Gemma 2 and 3, gpt-oss)
keeps its last tokens only, a recurrent or hybrid model (Mamba, Qwen3-Next and Qwen3.5, Granite 4 H, Falcon-H1, LFM2)
only the state of the last one. To go back, llama.cpp needs a context checkpoint, a copy of that state. It makes one
where the last user message begins and two near the end of each prompt (516 and 4 tokens in front of it), and keeps
32. Without a checkpoint in front of the place, or with none at all, it begins again at the first token: "forcing full
prompt re-processing due to lack of cache data", which it logs at `-lv 4` only.

A conversation that only appends never needs to go back. An edit, a rewind, a compaction, reasoning that was dropped
and an answer that comes back in other words do. So, on a sliding-window model, does a slot that changes hands:
llama.cpp's host cache keeps the window alone, so that the conversation comes back without its last answer.

## Example
    hybrid model, 6,002 tokens in the slot, the prompt parts at token 3,001
    expected 3,001 cached tokens, the server reports 0

## What goes upstream instead
Nothing can be mended in the prompt beyond what the other rules do: what they keep as it was need not be gone back on.
On llama.cpp: `--ctx-checkpoints 32` (or more: an agent's long session makes two or three in each turn; 0 switches
them off), a smaller `--checkpoint-min-step` (8192), and for sliding windows `--swa-full`, which keeps every token,
takes the memory of a usual cache and can be cut anywhere, but not after the slot has been another's. As many slots as
conversations (`--parallel`). And let the agent only append: no pruning of old tool output, rare compaction.

## When it is wrong to apply
It changes nothing.

## Source
ggml-org/llama.cpp#13194 (sliding windows), #15293 (checkpoints), #20288 (where they are made), #19794, #21831 and
#24055; measured on xllamacpp 2026.10 with a model of each kind.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV002", "cannot-rewind", Safety.EXACT, __doc__ or "")
