"""
## What it does
Leaves a reminder where the model first read it, when the client moves it to the newest turn or drops it. A reminder
that comes up in an old turn is told at the tail instead.

## Why it costs you
Agents add a `<system-reminder>` to a turn (the open file, the date, a changed todo list) and take it away again on the
next request, so that an old turn of the user is not what it was. The prompt parts there, and all that was said since
is prefilled again.

## Example
    request 3: user: "fix it" + <system-reminder>plan mode is on</system-reminder>
    request 4: user: "fix it"            the reminder is gone, or stands in the newest turn

## What goes upstream instead
The old turn with the reminder, as the model has read it. A reminder in the newest turn goes as the client sends it.

## When it is wrong to apply
When an agent takes back what it said: a reminder that is withdrawn stays in the model's view. Agents that mean that
say so in a new reminder; switch the rule off for those that do not.

## Source
sst/opencode#23595, ggml-org/llama.cpp#22746, anthropics/claude-code#76959; measured with Qwen Code 0.24, whose date
reminder moves on `--continue`.
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.rules.api import Rule, Safety


def names(difference: Difference) -> bool:
    """True when an old turn lost a reminder, or has one more."""
    return difference.where == "turn" and difference.kind == "reminder"


RULE: Final = Rule("HIS001", "vanished-reminder", Safety.ORDER, __doc__ or "", keeps=("reminder",), names=names)
