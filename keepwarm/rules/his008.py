"""
## What it does
Names a turn whose words are what the server generated, and whose tokens are not.

## Why it costs you
A model may generate tokens that the tokenizer would not choose for the same text, and a chat template may write a turn
otherwise than the model did (a line break, the end of a turn). The cache then parts a few tokens into the last answer,
and the answer is prefilled again, once: nothing behind it was there yet.

## Example
    generated tokens: "Hel" "lo"      the same text tokenised: "Hello"

## What goes upstream instead
The text: only an interface that takes tokens could do better.

## When it is wrong to apply
It changes nothing.

## Source
mlc-ai/mlc-llm#3179.
"""

from __future__ import annotations

from typing import Final

from keepwarm.rules.api import Rule, Safety

RULE: Final = Rule("HIS008", "retokenised-turn", Safety.EXACT, __doc__ or "")
