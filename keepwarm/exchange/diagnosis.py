"""Why the cache cannot be reused in full, for clients that ask: `diagnostics` of Anthropic's Messages API.

Told before the answer, so it is about the two requests and not about what the cache then gave. It is about what goes
upstream: what a rule has mended parts nothing. Source: platform.claude.com, "Cache diagnostics" (the request's
`diagnostics` object alone asks for it; the header of its beta is no longer needed).
"""

from __future__ import annotations

from typing import Final

from keepwarm.core.diff import Difference
from keepwarm.core.events import Diagnosis
from keepwarm.exchange.compare import Now, differences
from keepwarm.exchange.stabilise import Stable
from keepwarm.ledger.verdict import Predecessor
from keepwarm.session.journal import Journal
from keepwarm.session.lineage import Sent

MESSAGE: Final = "msg_"
"""What the id of a message begins with; behind it stands that of its record."""
BYTES_PER_TOKEN: Final = 3.6
"""Where the server has not counted the older prompt."""
_SAME: Final = Diagnosis()


def diagnose(journal: Journal, stable: Stable, now: Now) -> Diagnosis:
    """What to tell the client that has named a message in `Options.diagnose`."""
    name = now.options.diagnose
    if not name:  # the first turn: there is nothing to compare
        return _SAME
    sent = journal.answered(stable.lineage, name.removeprefix(MESSAGE))
    if sent is None:
        return Diagnosis("previous_message_not_found")
    mine = sent is stable.before and not stable.sibling
    found = stable.differences if mine else differences(sent, now)
    return _first(found, sent, stable)


def _first(found: tuple[Difference, ...], sent: Sent, stable: Stable) -> Diagnosis:
    """The earliest of what differs: the model, then system and tools, then what else is asked for, then messages."""
    # An answer that comes back otherwise is no part of the request before it.
    asked = [one for one in found if one.share < 1.0 or one.where != "turn"]
    for reason, mine in (
        ("model_changed", [one for one in asked if one.path == "/model"]),
        ("system_changed", [one for one in asked if one.where == "system"]),
        ("tools_changed", [one for one in asked if one.where == "tools"]),
        ("unavailable", [one for one in asked if one.where == "options"]),
        ("messages_changed", [one for one in asked if one.where == "turn"]),
    ):
        if mine:
            return Diagnosis(reason, None if reason == "unavailable" else _missed(mine[0].share, sent, stable))
    shared = sent.shared(stable.keys)
    if shared < len(sent.keys):  # gone, or said anew where the older request ended
        kept = sent.head.size + sent.trail.size(shared)
        return Diagnosis("messages_changed", _missed(kept / max(1, sent.size), sent, stable))
    return _SAME


def _missed(share: float, sent: Sent, stable: Stable) -> int:
    """About how many tokens of the older prompt stand behind a place."""
    if sent.prompt_tokens is None:
        return round(sent.size * (1.0 - min(1.0, share)) / BYTES_PER_TOKEN)
    before = Predecessor(sent.prompt_tokens, None, share, replayed=False, points=sent.points(stable.lineage.points))
    return max(0, sent.prompt_tokens - before.at(share))
