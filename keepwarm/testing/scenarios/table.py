"""Every injection, once. The names are those of a `Scenario`; the rows those of the scenario matrix."""

from __future__ import annotations

from typing import Final

from keepwarm.testing.scenarios import branches, history, order, shapes, volatile
from keepwarm.testing.scenarios.injection import Injection
from keepwarm.testing.scenarios.truth import head_difference

INJECTIONS: Final[dict[str, Injection]] = {
    one.name: one
    for one in (
        # Clean: nothing must be found
        Injection("clean", "none"),
        Injection("clean-marks", "cc-moving", show=shapes.mark_moving, shapes=("messages",)),
        Injection("clean-shapes", "string/block shape", show=shapes.shape_flipping, also=("HIS006",)),
        Injection("clean-rewind", "rewind", course=branches.rewind),
        Injection("clean-fork", "fork", course=branches.fork, observed=False),
        Injection("clean-resume", "resume", course=branches.resume),
        Injection("clean-helpers", "sub-agents with the same head", course=branches.helpers, slots=4,
                  observed=False),
        Injection("clean-pictures", "images", course=branches.pictures),
        # Volatile text
        Injection("VOL001-each", "billing each request", "VOL001", show=volatile.billing_each),
        Injection("VOL001-session", "billing per session", "VOL001", show=volatile.billing_session,
                  where=head_difference, course=volatile.two_sessions, across=True),
        Injection("VOL002-moving", "countdown", "VOL002", show=volatile.countdown_moving, also=("HIS001",)),
        Injection("VOL002-inline", "countdown", "VOL002", show=volatile.countdown_inline),
        Injection("VOL003-date", "date change", "VOL003", show=volatile.date),
        Injection("VOL003-clock", "date change", "VOL003", show=volatile.clock),
        Injection("VOL003-tool", "date change", "VOL003", show=volatile.dated_tool),
        Injection("VOL004-git", "git status changed", "VOL004", show=volatile.git_status),
        # Roles
        Injection("ROL001-inline", "inline system", "ROL001", show=volatile.inline_system,
                  where=volatile.newest_system_message, server="hoisting"),
        # History
        Injection("HIS001-moved", "reminder moved", "HIS001", show=history.reminder_moved, also=("ROL001",)),
        Injection("HIS001-gone", "late reminder gone", "HIS001", show=history.reminder_gone, also=("ROL001",)),
        Injection("HIS002-dropped", "thinking dropped", "HIS002", show=history.thinking_dropped, thinking=True),
        Injection("HIS002-late", "thinking dropped", "HIS002", show=history.thinking_late, thinking=True),
        Injection("HIS002-emptied", "thinking dropped", "HIS002", show=history.thinking_emptied, thinking=True),
        Injection("HIS003-each", "JSON key order in replayed tool input (each turn)", "HIS003",
                  show=history.arguments_each),
        Injection("HIS003-once", "JSON key order in replayed tool input (once)", "HIS003",
                  show=history.arguments_once),
        Injection("HIS003-rewritten", "tool arguments rewritten on first echo", "HIS003",
                  show=history.arguments_rewritten),
        Injection("HIS004-reordered", "results reordered", "HIS004", show=history.results_reordered),
        Injection("HIS005-opening", "early message edited", "HIS005", fixable=False, show=history.opening_edited),
        Injection("HIS005-result", "early message edited", "HIS005", fixable=False, show=history.request_edited),
        Injection("HIS006-inner", "white space", "HIS006", show=history.spaces_edited),
        Injection("HIS005-trimmed", "middle trimmed", "HIS005", fixable=False, show=history.middle_trimmed),
        Injection("HIS005-trimming", "middle trimmed", "HIS005", fixable=False, show=history.trimmed_each),
        Injection("HIS005-compacted", "compaction", "HIS005", fixable=False, course=branches.compaction,
                  parts=True),
        Injection("HIS006-spaces", "white space", "HIS006", show=history.answers_respaced),
        Injection("HIS006-empty", "string/block shape", "HIS006", show=shapes.empty_texts, shapes=("messages",)),
        Injection("HIS007-cut", "interrupted turn", "HIS007", show=history.partial_shortened,
                  course=branches.interrupted),
        Injection("HIS008-pieces", "re-tokenised turn", "HIS008", fixable=False, course=branches.retokenised),
        # Order
        Injection("ORD001-each", "tool reorder", "ORD001", show=order.reordered_each),
        Injection("ORD001-once", "tool reorder", "ORD001", show=order.reordered_once),
        Injection("ORD002-added", "tool added", "ORD002", show=order.added, also=("ORD001",)),
        Injection("ORD002-removed", "tool removed", "ORD002", fixable=False, show=order.removed),
        Injection("ORD002-reworded", "schema drift (another text)", "ORD002", fixable=False, show=order.reworded),
        Injection("ORD003-keys", "schema drift (key order)", "ORD003", show=order.schema_keys),
        # Parameters
        Injection("KEY001-model", "model switch", "KEY001", fixable=False, show=order.model_switched,
                  server="models"),
        # Seats
        Injection("SEA001-helpers", "sub-agents on the same slot", "SEA001", course=branches.helpers, slots=4),
        Injection("SEA001-title", "title call on the same slot", "SEA001", course=branches.titles),
        Injection("SEA002-replicas", "replica moved", "SEA002", fixable=False, server="replicas"),
    )
}  # fmt: skip
"""By name."""
