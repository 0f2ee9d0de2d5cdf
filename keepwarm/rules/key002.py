"""
## What it does
Tells a server that spreads its requests over many machines which of them belong to one conversation, when the client
does not: by `prompt_cache_key`, or by the header that the server reads instead.

## Why it costs you
The cache is on one machine. Without a key each request is sent by a hash of its first tokens, which all agents of one
kind share, and beyond some load (OpenAI names about 15 requests a minute) to any machine: the prefix is then prefilled
and billed again.

## Example
    api.openai.com, one conversation, three turns: cached_tokens 0, 17,408, 0

## What goes upstream instead
| server | what is added |
|---|---|
| api.openai.com, *.openai.azure.com (OpenAI's own models), api.mistral.ai | `"prompt_cache_key": "<key>"` |
| api.x.ai | the header `x-grok-conv-id: <key>` |
| openrouter.ai | the header `x-session-id: <key>` |
| api.fireworks.ai | the header `x-session-affinity: <key>` |

The key is a digest of model, session and agent, and of the conversation where the client names no session. It is never
random, and never made from a prompt whose head still changes: either would send each request elsewhere. What the client
says itself stands. Other servers get none, since many refuse a member that they do not know (Groq, Cerebras and
NVIDIA's with 400 or 422, Azure for models that are not OpenAI's). `[upstream] cache_key = true` sends
`prompt_cache_key` to any server, `false` to none.

## When it is wrong to apply
When one conversation asks more often than one machine can answer. The model reads the same words either way.

## Source
developers.openai.com, "Prompt caching" (the key is combined with the hash of the prefix); learn.microsoft.com, "Prompt
caching with Azure OpenAI"; docs.x.ai, "Maximizing cache hits" ("routes requests with the same conversation ID to the
same server"); openrouter.ai, "Create messages" (`session_id`, the sticky routing key, or `x-session-id`);
docs.mistral.ai, "Prompt caching"; langchain-fireworks, prompt-cache session affinity. Refusals:
zed-industries/zed#36215 and #52000, MoonshotAI/kimi-code#2611, sipeed/picoclaw#1019. Missing or random keys:
musistudio/claude-code-router#1688, router-for-me/CLIProxyAPI#3884, MadAppGang/claudish#238.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

import msgspec

from keepwarm.core import digest
from keepwarm.core.prompt import Edit
from keepwarm.rules.api import Fix, Rule, Safety

MEMBER: Final = "prompt_cache_key"


class Door(msgspec.Struct, frozen=True):
    """How a server is told which requests belong together."""

    host: str
    """Its name, or what its name ends with behind a dot."""
    header: str = ""
    """The header that it reads; "" where it reads the member `prompt_cache_key` of the body."""
    models: str = ""
    """A pattern of the models for which it is known; "" for all."""


class Route(msgspec.Struct, frozen=True):
    """What is added to a request so that it finds its way."""

    members: tuple[tuple[str, str], ...] = ()
    """(name, text) in the body."""
    headers: tuple[tuple[str, str], ...] = ()

    def says(self, name: str) -> bool:
        """Whether a header of this name is there, in any case."""
        return any(header.lower() == name.lower() for header, _ in self.headers)


DOORS: Final = (
    Door("api.openai.com"),
    Door("openai.azure.com", models=r"(gpt|chatgpt|o\d|codex|computer-use)"),
    Door("api.mistral.ai"),
    Door("api.x.ai", "x-grok-conv-id"),
    Door("openrouter.ai", "x-session-id"),
    Door("api.fireworks.ai", "x-session-affinity"),
)
ANY: Final = Door("")
"""For a server that the user says takes the member."""


def door(host: str, model: str, asked: bool | None = None) -> Door | None:
    """How the server at `host` is told, for a model; None when it is not known to want it.

    asked  the user's word: True for the member of the body whatever the server is, False for nothing
    """
    if asked is False:
        return None
    for one in DOORS:
        if (host == one.host or host.endswith(f".{one.host}")) and re.match(one.models, model, re.IGNORECASE):
            return one
    return ANY if asked else None


def route_key(model: str, session: str, agent: str, lineage: str) -> str:
    """32 hex digits for all requests that should meet on one machine; the lineage counts where there is no session."""
    return digest.of_text(model, session, agent, "" if session else lineage).hex()


def add(route: Route, way: Door, key: str, said: Container[str] = ()) -> Fix[Route]:
    """`route` with the key in it, unless it is there.

    said  the names of members that the client says itself
    """
    if way.header:
        if route.says(way.header):
            return Fix(route)
        return Fix(
            msgspec.structs.replace(route, headers=(*route.headers, (way.header, key))),
            (Edit("KEY002", "", "", key, f"sent as the header {way.header}"),),
        )
    if MEMBER in said or any(name == MEMBER for name, _ in route.members):
        return Fix(route)
    return Fix(
        msgspec.structs.replace(route, members=(*route.members, (MEMBER, key))),
        (Edit("KEY002", f"/{MEMBER}", "", key, "names the conversation to the server"),),
    )


RULE: Final = Rule(
    "KEY002", "missing-cache-key", Safety.EXACT, __doc__ or "", beside="a key that names the conversation"
)
