"""
## What it does
Takes the state of the project out of the system prompt: git status, a file tree, the working directory, an `<env>`
block. It is told in the conversation's first turn instead, and again in the newest one when it has changed.

## Why it costs you
Older agents write that state into the system prompt. It is another one in each session, in each sub-agent and on each
`--continue`, so no two of them have the same head, and a conversation that goes on parts at its beginning.

## Example
    system: "You are an agent. ... gitStatus: Current branch: main, M src/app.py"     the next day: "(clean)"

## What goes upstream instead
The system prompt without that section, the same for all sessions; the section as a `<system-reminder>` at the end of
the first turn of the user.

## When it is wrong to apply
When a model follows only what stands in its system prompt. Sections that are not recognised stay where they are.

## Source
anthropics/claude-code#44724, Kilo-Org/kilocode#12666; measured with Claude Code 2.1.39 and Qwen Code 0.24.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import structs

from keepwarm.core.diff import Difference
from keepwarm.core.prompt import Edit, Head, Notice, SystemBlock
from keepwarm.rules.api import HeadFix, Rule, Safety
from keepwarm.rules.vol003 import in_clock

_SECTION: Final = re.compile(
    r"""
      ^[ \t]*<(?P<tag>env|environment|environment_context|environment_details|git_status|gitStatus|files
                     |file_tree|project_tree)>
        .*? </(?P=tag)>[ \t]*\n?                     # a section in tags
    | ^gitStatus:.*\Z                               # Claude Code until 2.1.111: to the end of the block
    | ^Git\ snapshot\ at\ conversation\ start\.[^\n]*\n```text\n(?:git:[^\n]*\n)*```[ \t]*\n?      # Qwen Code
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_MARKS: Final = re.compile(
    r"git ?status|current branch|recent commits|working directory|<env>|# environment|today'?s date|platform:",
    re.IGNORECASE,
)
_NEAR: Final = 2_000


def move(head: Head, _: Head | None) -> HeadFix:
    """`head` without the sections that tell the state of the project, and notices with them."""
    edits: list[Edit] = []
    notices: list[Notice] = []
    row: list[SystemBlock] = []
    for block in head.system:
        sections = [found.group() for found in _SECTION.finditer(block.text)]
        if not sections:
            row.append(block)
            continue
        path = block.path
        rest = _SECTION.sub("", block.text)
        edits.append(Edit("VOL004", path, block.text, rest, "told in the conversation instead"))
        words = "\n".join(section.strip() for section in sections)
        notices.append(Notice(f"environment {path}", words, "VOL004", path))
        if rest.strip():
            row.append(structs.replace(block, text=rest))
    return HeadFix(structs.replace(head, system=tuple(row)), tuple(edits), tuple(notices)) if edits else HeadFix(head)


def names(difference: Difference) -> bool:
    """True when the system prompt parts behind words that announce an environment, and not in a date."""
    if difference.where != "system" or in_clock(difference):
        return False
    at = difference.offset
    return any(_MARKS.search(text[max(0, at - _NEAR) : at + 80]) for text in (difference.before, difference.after))


RULE: Final = Rule("VOL004", "volatile-environment", Safety.ORDER, __doc__ or "", head=move, names=names)
