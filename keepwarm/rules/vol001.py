"""
## What it does
Takes the billing line out of the system prompt: `x-anthropic-billing-header: cc_version=..; cc_entrypoint=..; cch=..;`.
Its values go on as HTTP headers (`x-keepwarm-client-cc-version: ..`) and into the ledger.

## Why it costs you
Claude Code writes the line at the very front of the prompt and its value changes: `cch` with each request
(2.1.114 to 2.1.179, and in first-party mode), the suffix of `cc_version` with each conversation and
sub-agent. A prefix cache holds up to the first token that differs, so the whole prompt is prefilled again.

vLLM takes the line out itself where a system text begins with it (0.32), and from a Messages body the whole block with
it, whatever else stands there: where keepwarm only observes vLLM the line costs nothing, and is not named.

## Example
    x-anthropic-billing-header: cc_version=2.1.39.c39; cc_entrypoint=cli; cch=56445;

## What goes upstream instead
Nothing: the block is dropped when it holds nothing else; else the line alone and the one line break behind
it (LF or CRLF); where prompt and header share a line, the text up to the last known `key=value;`.

## When it is wrong to apply
Towards Anthropic itself, which reads the line at its place: that traffic is never rewritten. Text that
quotes the line is left alone: in user content, or anywhere but at the very beginning of a system block.

## Source
anthropics/claude-code#68900, musistudio/claude-code-router#1161 and #1372, vllm-project/vllm#36829; seventeen
fields seen in Claude Code 2.1.39 to 2.1.328.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import structs

from keepwarm.core.diff import Difference, line_around
from keepwarm.core.prompt import Edit, SystemBlock
from keepwarm.rules.api import Fix, Rule, Safety

_HEADER: Final = re.compile(r"\s*x-anthropic-billing-header:[ \t]*", re.IGNORECASE)
_FIELD: Final = re.compile(r"(c[a-z0-9_]*)=([^;\s]*);[ \t]*", re.IGNORECASE)
_LAST_FIELD: Final = re.compile(r"(c[a-z0-9_]*)=([^;\s]*)[ \t]*(?=[\r\n]|$)", re.IGNORECASE)


def lift(block: SystemBlock) -> Fix[SystemBlock | None]:
    """`block` without a billing line at its beginning; None when nothing else stood in it."""
    head = _HEADER.match(block.text)
    if head is None:
        return Fix(block)
    at = head.end()
    metadata: list[tuple[str, str]] = []
    while field := _FIELD.match(block.text, at) or _LAST_FIELD.match(block.text, at):
        metadata.append((field.group(1).lower(), field.group(2)))
        at = field.end()
    if not metadata:  # a line of that name with nothing we know in it is somebody's words
        return Fix(block)
    for line_break in ("\r\n", "\n", "\r"):
        if block.text.startswith(line_break, at):
            at += len(line_break)
            break
    edit = Edit("VOL001", block.path, block.text[:at], "", "lifted into HTTP headers")
    rest = block.text[at:]
    kept = structs.replace(block, text=rest) if rest.strip() else None
    return Fix(kept, (edit,), tuple(metadata))


def names(difference: Difference) -> bool:
    """True when the texts part inside a billing line."""
    if difference.where != "system":
        return False
    return any(_HEADER.match(line_around(text, difference.offset)) for text in (difference.before, difference.after))


RULE: Final = Rule("VOL001", "billing-header", Safety.EXACT, __doc__ or "", system=lift, names=names)
