"""
## What it does
Names a history that the client edited: compaction, rewind, pruned tool output, a call lost on resume.

## Why it costs you
What stands behind the edit is read by the model in a new context, so it is prefilled again.

## Example
    messages[3] was the whole output of a test run; now it says "[Old tool result content cleared]".

## What goes upstream instead
The client's own words: it means the edit. What helps: rarer and larger steps (a bigger context before
compaction, no pruning of old tool output).

## When it is wrong to apply
It changes nothing.

## Source
ggml-org/llama.cpp#22746; measured with Claude Code 2.1.39 (`--continue` loses one of two parallel calls).
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.rules.api import Rule, Safety


def names(difference: Difference) -> bool:
    """True when a message of the history says something else than it did."""
    return difference.where == "turn" and difference.kind == "content"


RULE: Final = Rule("HIS005", "edited-history", Safety.EXACT, __doc__ or "", names=names)
