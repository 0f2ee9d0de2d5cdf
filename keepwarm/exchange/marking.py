"""Cache markers on their way to a provider that keeps only what is marked."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from keepwarm.core.marks import Row
from keepwarm.core.prompt import Edit
from keepwarm.rules.engine import RuleBook
from keepwarm.rules.mrk001 import RULE as MOVING
from keepwarm.rules.mrk004 import minimum
from keepwarm.upstream import anthropic_marks


def mark(body: bytes, rules: RuleBook, model: str) -> tuple[bytes, tuple[Edit, ...]]:
    """A Messages request with its markers where they belong, and what was changed; the very bytes for nothing."""
    row = _row(body, model) if any(rule.marks for rule in rules.rules) else None
    if row is None:
        return body, ()
    fix = rules.marks(row)
    return (anthropic_marks.write(body, row, fix.value), fix.edits) if fix.edits else (body, ())


def faults(received: bytes, sent: bytes, rules: RuleBook, model: str, changed: Iterable[str]) -> tuple[str, ...]:
    """The codes that say why markers lose the cache.

    changed  JSON pointers into what was received to places that differ from the request before
    """
    theirs = _row(received, model)
    ours = theirs if sent == received else _row(sent, model)
    moving = theirs is not None and MOVING.code in rules.misplaced(replace(theirs, changed=tuple(changed)))
    others = rules.misplaced(ours) if ours is not None else ()
    return (*((MOVING.code,) if moving else ()), *others)


def _row(body: bytes, model: str) -> Row | None:
    row = anthropic_marks.read(body)
    return row if row is None else replace(row, minimum=minimum(model))
