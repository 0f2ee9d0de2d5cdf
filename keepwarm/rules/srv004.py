"""
## What it does
Names a request that came to a server which had been started anew, or had unloaded its model and loaded it again.
Where a request in between failed, that is known at once. Else the server is asked after the answer, beside the traffic:
tasks that are numbered from 0 again or a used slot that has had none (llama.cpp, `/slots`), fewer processed tokens
than it has answered for, or a process that was started since (`/metrics`). `exact = false` switches it off.

## Why it costs you
The cache lives in the server's memory and goes with it. A model is unloaded when it has been idle (Ollama after five
minutes, LM Studio after an hour, llama.cpp with `--sleep-idle-seconds`), when another model needs the memory (Ollama,
LM Studio, llama.cpp's and other routers), when a caller asks Ollama for another `num_ctx`, or when the server
crashed.

## Example
    a pause of six minutes; expected 41,200 cached tokens, the server reports 0, and its count of processed tokens
    begins at 0 again

## What goes upstream instead
Nothing can be mended in the prompt. Keep the model loaded: `OLLAMA_KEEP_ALIVE=-1`, one `num_ctx` for all callers
(KEY003), LM Studio's "Auto unload" off, no `--sleep-idle-seconds`. A router should not swap the main model for the
small one that makes titles: give both room, or name the main model for both. Over a planned restart llama.cpp can
keep a slot: `--slot-save-path` and `POST /slots/N?action=save` and `restore`.

## When it is wrong to apply
It changes nothing.

## Source
ollama/ollama `server/sched.go`, #16639; llama.cpp `tools/server` (sleeping: `is_sleeping` in `/props`; its counters
outlive the sleep, its slots do not); measured on xllamacpp 2026.10.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV004", "model-reloaded", Safety.EXACT, __doc__ or "")
