"""Who is speaking, as far as a request says so: session, agent, client.

A name is only as good as where it stands. The order, best first: the header of Claude Code (with its agent id),
`thread-id`, `x-session-affinity` and `x-session-id`, `session_id`, then what the body says: `prompt_cache_key`,
`metadata.user_id`, `user`. Codex shares its cache key with its sub-agents but not its thread-id; Qwen Code, Cline, pi
and Gemini CLI say nothing and are known by their prefix: nothing here makes a name up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from keepwarm.wire.api import ClientFacts


class _UserId(msgspec.Struct, frozen=True):
    session_id: str = ""


_SESSIONS: Final = ("x-claude-code-session-id", "thread-id", "x-session-affinity", "x-session-id", "session_id")
_CACHE_KEY: Final = "prompt_cache_key"
_METADATA: Final = "metadata.user_id"
_USER: Final = "user"
_PARENTS: Final = ("x-parent-session-id", "x-codex-parent-thread-id")
_USER_ID: Final = msgspec.json.Decoder(_UserId)
_IN_USER_ID = re.compile(r"user_[0-9a-fA-F]+_account_.*?_session_([0-9A-Za-z-]+)")
# "claude-cli/2.1.114 (external, cli)", "Anthropic/Python 2.12.0", "ai-sdk/anthropic/1.2.3"
_AGENT = re.compile(r"\s*(\S+?)[/ ]v?(\d[\w.+-]*)")


def identity(headers: Mapping[str, str], user_id: str = "", *, cache_key: str = "", user: str = "") -> ClientFacts:
    """What `headers` (names in any case) and the body say about the sender.

    user_id    `metadata.user_id` of the Messages API; "" for none
    cache_key  `prompt_cache_key` of chat completions
    user       and their `user`: one person's, so of several conversations
    """
    said: dict[str, str] = {}
    for name, value in headers.items():
        said.setdefault(name.lower(), value.strip())
    session, trust = _session(said, {_CACHE_KEY: cache_key, _METADATA: session_of(user_id), _USER: user})
    return ClientFacts(
        session=session,
        agent=said.get("x-claude-code-agent-id", ""),
        parent=next((said[name] for name in _PARENTS if said.get(name)), ""),
        request_class=said.get("x-claude-code-request-class", ""),
        client="/".join(part for part in program(said.get("user-agent", "")) if part),
        trust=trust,
    )


def program(user_agent: str) -> tuple[str, str]:
    """(name, version) of the program that a User-Agent names first; the version is "" when it says none."""
    if (found := _AGENT.match(user_agent)) is not None:
        return found.group(1), found.group(2)
    return next(iter(user_agent.split()), ""), ""


def session_of(user_id: str) -> str:
    """The session in Claude Code's `metadata.user_id`; "" in any other.

    Until 2.1.111 `user_<64 hex>_account_<uuid or nothing>_session_<uuid>`, then a JSON object with `session_id`.
    """
    if user_id.startswith("{"):
        try:
            return _USER_ID.decode(user_id).session_id
        except (msgspec.DecodeError, RecursionError):
            return ""
    found = _IN_USER_ID.fullmatch(user_id)
    return found.group(1) if found is not None else ""


def _session(said: Mapping[str, str], body: Mapping[str, str]) -> tuple[str, str]:
    names = {name: said.get(name, "") for name in _SESSIONS} | dict(body)
    return next(((value, name) for name, value in names.items() if value), ("", ""))
