"""
## What it does
Names a request whose prompt was the same up to a place that the server had processed, and which the server
processed again all the same, where none of the server's own reasons (SRV002 to SRV007) can be seen.

## Why it costs you
The gateway kept the prefix and the seat; the server did not keep the cache.

## Example
    expected 41,200 cached tokens, the server reports 0

## What goes upstream instead
Nothing can be mended in the prompt. Look, in this order, whether somebody else uses the same server (a second
gateway, a web page, a benchmark: on llama.cpp `GET /slots` shows what each slot holds), whether its memory is
enough (SRV005), and what its log says about this request.

## When it is wrong to apply
It changes nothing.

## Source
ggml-org/llama.cpp#21831; #27148 (under load a request may be given another conversation's cache entry).
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SRV001", "server-dropped-cache", Safety.EXACT, __doc__ or "")
