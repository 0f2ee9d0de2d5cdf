"""Every dialect, once: by the kind of server, and by the protocol of the clients that are to be served with it.

A new server is one file beside this one and one line here. A dialect is made for each protocol, because what stands
upstream for a client of the server's own is its own bytes, and for any other a translation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from keepwarm.errors import ConfigError
from keepwarm.upstream.anthropic import Anthropic
from keepwarm.upstream.api import Dialect, Traits
from keepwarm.upstream.chat_bytes import ChatBytes, LlamaCppBytes
from keepwarm.upstream.llamacpp import LlamaCpp
from keepwarm.upstream.openai import OpenAI

Maker: TypeAlias = Callable[[Traits, str], Dialect]

DIALECTS: Final[dict[str, dict[str, Maker]]] = {
    "llamacpp": {"anthropic": LlamaCpp, "chat": LlamaCppBytes},
    "anthropic": {"anthropic": Anthropic, "chat": ChatBytes},
    "chat": {"anthropic": OpenAI, "chat": ChatBytes},
}
"""By the kind of server, then by the protocol of the client."""


def dialects(traits: Traits, model: str = "") -> dict[str, Dialect]:
    """The dialect of a server for each protocol whose clients it can serve.

    Raises ConfigError for a kind that is not in the table.
    """
    row = DIALECTS.get(traits.kind)
    if row is None:
        raise ConfigError(f"there is no upstream kind {traits.kind!r}: use one of {', '.join(DIALECTS)}")
    return {front: make(traits, model) for front, make in row.items() if front != "chat" or traits.chat}


def dialect(traits: Traits, model: str = "", front: str = "anthropic") -> Dialect:
    """The dialect of a server for clients of one protocol. Raises ConfigError as `dialects`, KeyError for none."""
    return dialects(traits, model)[front]
