"""
## What it does
Gives each conversation a slot of the server to itself: one for each session, agent and shape of prompt. Small
side calls (titles, quota probes) share one seat. With more conversations than slots the one that has waited
longest gives its slot up, and its cache is left in the server's host memory.

## Why it costs you
llama.cpp gives a request the idle slot whose content is most like it. A title call that shares the head with
the main conversation takes that conversation's slot, cuts its cache at the head, and the main conversation
pays for its whole tail again (4,511 tokens in one measurement) although another slot was empty.

## Example
    main (slot 0, 14,800 tokens) -> title (same head, takes slot 0) -> main: 4,511 tokens prefilled again

## What goes upstream instead
The same request with `id_slot` and `cache_prompt: true`, on `/v1/chat/completions`: `/v1/messages` drops
both. Before a slot changes hands, one token is sent to it, which makes the server put the old content into
its host cache instead of overwriting it.

## When it is wrong to apply
When several gateways share one server and do not know of each other.

## Source
llama.cpp server-context.cpp (choice of slots), BonkusCheemus/strix-llama.cpp#36, mostlygeek/llama-swap#560;
measured on xllamacpp 2026.10.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("SEA001", "stolen-slot", Safety.EXACT, __doc__ or "", beside="the slot that a request is sent to")
