"""
## What it does
Names cache markers that all stand before the length from which the model's provider keeps a prefix.

## Why it costs you
A shorter prefix is not kept, and no error says so: `cache_creation_input_tokens` is 0 and each request pays in full.

## Example
    a system prompt of 900 tokens, marked, for a model that keeps 4,096 and more

## What goes upstream instead
The caller's own markers. What helps: one further back, where the prefix is long enough (MRK003 sets its own there).

| model | tokens |
|---|---|
| Opus 4.5, 4.6 and 4.7, Haiku 4.5 | 4,096 |
| Haiku 3 and 3.5 | 2,048 |
| Sonnet, other Opus | 1,024 |
| any other | 512 is taken for the least |

## When it is wrong to apply
It changes nothing. The length is estimated from bytes, in favour of the marker.

## Source
platform.claude.com, "Prompt caching" (minimum cacheable prompt length).
"""

from __future__ import annotations

import re
from typing import Final

from keepwarm.core.marks import BYTES_PER_TOKEN, Row
from keepwarm.rules.api import Rule, Safety

_MINIMA: Final = (
    (r"opus-4-[567]|haiku-4-5|mythos", 4096),
    (r"haiku-3|3-haiku|3-5-haiku", 2048),
    (r"sonnet|opus", 1024),
)
_LEAST: Final = 512
_SURE: Final = 3
"""Bytes that a token has at least, in a text of any length."""


def minimum(model: str) -> int:
    """Tokens that a prefix needs to be kept, for a model by its name."""
    name = model.lower().replace(".", "-")
    return next((tokens for pattern, tokens in _MINIMA if re.search(pattern, name)), _LEAST)


def misplaced(row: Row) -> bool:
    """True when every marker stands too early for anything to be kept."""
    return bool(row.marks) and row.tokens(row.marks[-1]) * BYTES_PER_TOKEN // _SURE < row.minimum


RULE: Final = Rule("MRK004", "short-prefix", Safety.EXACT, __doc__ or "", misplaced=misplaced)
