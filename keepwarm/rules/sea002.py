"""
## What it does
Sends a balancer in front of the model servers one and the same key with every request of a conversation, as headers,
and names a turn that another replica answered than the one before.

## Why it costs you
Each replica has a cache of its own. A balancer that takes the next one in turn spreads a conversation over all of
them, and each prefills the whole of it.

## Example
    turn 7: x-smg-routed-worker-id: http://w1:8000, 41,200 cached      turn 8: http://w2:8000, 0 cached

## What goes upstream instead
The request with headers that name the conversation:

    x-session-id, x-session-affinity, x-smg-routing-key: 5b0e7f6a0c7d3c0f2f1f4f0a9d8c7b6a

| balancer | what makes it read one of them |
|---|---|
| smg, SGLang's router | `--policy manual` or `consistent_hashing`, or `--sticky-sessions` beside any other |
| vLLM router | `--policy consistent_hash` |
| vLLM production stack | `--routing-logic session --session-key x-session-id` |
| nginx | `hash $http_x_session_id consistent;` in the `upstream` block |
| HAProxy | `balance hdr(x-session-id)` and `hash-type consistent` |
| Caddy | `lb_policy header X-Session-Id` |
| Envoy | a `hash_policy` on the header, with `ring_hash` or `maglev` |

They are sent by default: who does not read them is not disturbed, and a balancer that looks at the prompt itself goes
on doing so. `[upstream] affinity_headers = ["X-Other"]` names others, `[]` none. A header that the client sends itself
stands. The key is that of KEY002: the same for all that one agent of a session asks of one model, so that a compacted
or cleared conversation finds its tools and system prompt where they are.

A replica is known by what its balancer says of it in the answer's headers: `x-smg-routed-worker-id`,
`x-litellm-model-id`, `x-backend-server`, `x-upstream-addr`, `x-served-by` and the like. A server that says nothing is
not told apart.

## When it is wrong to apply
When one agent's conversation is meant to be spread for its load. Traffic that is only observed gets none.

## Source
docs of smg, "Sticky sessions and routing keys"; SGLang router, `X-SMG-Routing-Key`; vllm-project/router,
"Load balancing" (X-Session-ID comes first); vllm-project/production-stack, session routing; netclaw-dev/netclaw#610.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import structs

from keepwarm.rules.api import Rule, Safety
from keepwarm.rules.key002 import Route

HEADERS: Final = ("x-session-id", "x-session-affinity", "x-smg-routing-key")
"""What balancers read, as far as it is known."""
_REPLICAS: Final = (
    "x-smg-routed-worker-id",
    "x-litellm-model-id",
    "x-backend-server",
    "x-backend",
    "x-upstream-addr",
    "x-upstream",
    "x-replica-id",
    "x-replica",
    "x-worker-id",
    "x-server-id",
    "x-instance-id",
    "x-pod-name",
    "x-served-by",
)
_LONGEST: Final = 200


def pin(route: Route, names: Iterable[str], key: str) -> Route:
    """`route` with the key under each of these headers that it does not have."""
    there = {name.lower() for name, _ in route.headers}
    missing = tuple((name, key) for name in dict.fromkeys(names) if name.lower() not in there)
    return structs.replace(route, headers=(*route.headers, *missing)) if missing else route


def replica_of(headers: Mapping[str, str]) -> str:
    """The replica that answered, as its balancer names it in an answer's headers (names in lower case); "" for none.

    Fastly's `x-served-by` names a node of its own, another one each time, and no replica.
    """
    for name in _REPLICAS:
        value = headers.get(name, "").strip()
        if value and not (name == "x-served-by" and value.startswith("cache-")):
            return value[:_LONGEST]
    return ""


RULE: Final = Rule(
    "SEA002", "moved-replica", Safety.EXACT, __doc__ or "", beside="a key for the balancer in front of the server"
)
