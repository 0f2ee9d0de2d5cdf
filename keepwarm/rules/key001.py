"""
## What it does
Holds a conversation to what it first asked for where a request leaves it open, and names what it changes: the model,
thinking on or off, the choice of tools.

## Why it costs you
These are no words, and they decide how the words are rendered: another model has another cache, `enable_thinking`
changes the template's output, `tool_choice: "none"` takes the tools out of the prompt's head.

## Example
    request 3: "thinking": {"type": "enabled"}       request 4: nothing said of thinking

## What goes upstream instead
What is only a default is pinned: where a request says nothing of thinking, what the conversation said before holds.
A choice that the client makes is respected, and named with its cost.

## When it is wrong to apply
When saying nothing is meant to switch thinking off: say so in the request.

## Source
vLLM `v1/core/kv_cache_utils.py` (extra keys of a block: LoRA, salt, media), llama.cpp `common/chat.cpp`.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Options
from keepwarm.rules.api import Fix, Rule, Safety


def pin(options: Options, seen: Options | None) -> Fix[Options]:
    """`options` with what they leave open as in `seen`, the conversation's request before."""
    if seen is None or seen.thinking is None or options.thinking is not None:
        return Fix(options)
    word = "enabled" if seen.thinking else "disabled"
    edit = Edit("KEY001", "/thinking", "", word, "as the conversation asked before")
    return Fix(structs.replace(options, thinking=seen.thinking), (edit,))


def names(difference: Difference) -> bool:
    """True when a request asks for something else than the one before it."""
    return difference.where == "options"


RULE: Final = Rule("KEY001", "flipped-parameters", Safety.MEANING, __doc__ or "", options=pin, names=names)
