"""Every dialect, once. A new server is one file beside this one and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keepwarm.errors import ConfigError
from keepwarm.upstream.anthropic import Anthropic
from keepwarm.upstream.api import Dialect, Traits
from keepwarm.upstream.llamacpp import LlamaCpp
from keepwarm.upstream.openai import OpenAI

DIALECTS: Final[dict[str, Callable[[Traits, str], Dialect]]] = {
    "llamacpp": LlamaCpp,
    "anthropic": Anthropic,
    "chat": OpenAI,
}


def dialect(traits: Traits, model: str = "") -> Dialect:
    """The dialect of a server. Raises ConfigError for a kind that is not in the table."""
    make = DIALECTS.get(traits.kind)
    if make is None:
        raise ConfigError(f"there is no upstream kind {traits.kind!r}: use one of {', '.join(DIALECTS)}")
    return make(traits, model)
