"""
## What it does
Names a system prompt that changed in its volatile part: git status, a file list, a working directory, a date.
It mends nothing yet: the words are sent as the client wrote them.

## Why it costs you
Older clients write the state of the project into the system prompt. It changes between sessions and on each
`--continue`, and everything behind it is prefilled again.

## Example
    gitStatus: ... M src/app.py        the next day: (clean)

## What goes upstream instead
The client's own words. What helps: a client version that tells its environment in a message (Claude Code
2.1.154 and later), or switching the git instructions off in the client.

## When it is wrong to apply
It changes nothing.

## Source
anthropics/claude-code#44724, Kilo-Org/kilocode#12666; measured with Claude Code 2.1.39.
"""

from __future__ import annotations

import re
from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.rules.api import Rule, Safety

_MARKS: Final = re.compile(
    r"git ?status|current branch|recent commits|working directory|<env>|# environment|today'?s date|platform:",
    re.IGNORECASE,
)
_NEAR: Final = 2_000


def names(difference: Difference) -> bool:
    """True when the system prompt parts behind words that announce an environment."""
    if difference.where != "system":
        return False
    at = difference.offset
    return any(_MARKS.search(text[max(0, at - _NEAR) : at + 80]) for text in (difference.before, difference.after))


RULE: Final = Rule("VOL004", "volatile-environment", Safety.ORDER, __doc__ or "", names=names)
