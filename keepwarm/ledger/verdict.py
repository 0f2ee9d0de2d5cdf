"""The verdict: what the cache could have given one request, what it gave, and whose fault the difference is.

Two questions. Did the client (or a rule that did not fire) change what had been sent? Then the prompt parts at
a place, and what stands behind it is lost whatever the server does. If not, the server could have reused all
that it processed for the request before, and if it reports less the seat or the server is to blame.

A server that reports no cached tokens gets no verdict on them: not reported is not zero.
"""

from __future__ import annotations

from typing import Final

import msgspec

from keepwarm.core.diff import Difference, redacted
from keepwarm.core.events import Usage
from keepwarm.ledger.records import Blame, Grade, Outcome, Place, Verdict

SLACK: Final = 64
"""Tokens that any request may pay above the ideal: the prompt's last token is always run, the answer's last one is
not yet in the cache, and generated tokens are not always the re-tokenised text."""
_UNSURE: Final = 0.1
"""How far an estimate from bytes may be off, as a part of the prompt before."""


class Predecessor(msgspec.Struct, frozen=True):
    """The request that this one goes on from."""

    prompt_tokens: int | None
    output_tokens: int | None
    share: float
    """How much of its prompt this request repeats, from bytes: 1.0 when all of it."""
    replayed: bool
    """True when its answer stands in this request as the server generated it."""


def judge(
    usage: Usage,
    before: Predecessor | None,
    difference: Difference,
    causes: tuple[str, ...] = (),
    *,
    moved: str = "",
) -> Verdict:
    """The verdict for a request that the server has answered.

    usage       what the server reports
    before      the request of the same conversation before it; None for the first
    difference  where the two part ("none" when the older one is a prefix of this one)
    causes      the rules that explain the difference
    moved       why the conversation's slot was used by another in between; "" when it was not
    """
    actual = usage.cached_tokens
    if before is None:
        return _first(actual, usage)
    place = _place(difference)
    broken = difference.where != "none"
    if before.prompt_tokens is None:
        expected, grade = None, "unknown"
    elif broken or before.share < 1.0:
        expected, grade = round(before.prompt_tokens * before.share), "estimated"
    else:
        answer = (before.output_tokens or 0) if before.replayed else 0
        expected, grade = before.prompt_tokens + answer, "counted"
    if expected is not None and usage.prompt_tokens is not None:
        expected = min(expected, usage.prompt_tokens)
    if actual is None or expected is None:
        return _unreported(actual, expected, broken, causes, place)
    return _compare(
        usage,
        before,
        actual,
        expected,
        "estimated" if grade == "estimated" else "counted",
        broken,
        causes,
        place,
        moved,
    )


def _first(actual: int | None, usage: Usage) -> Verdict:
    if actual:
        words = f"The first request of its conversation; the server had {actual:,} tokens of it from others."
    else:
        words = "The first request of its conversation: nothing of it could be cached yet."
    return Verdict("first", "nobody", "counted" if actual is not None else "unknown", 0, actual, sentence=words)


def _unreported(
    actual: int | None, expected: int | None, broken: bool, causes: tuple[str, ...], place: Place | None
) -> Verdict:
    words = "The server does not report cached tokens, so what it reused is not known."
    if actual is not None:
        words = f"The server reused {actual:,} tokens; what it could have reused is not known."
    if broken and place is not None:
        words += f" The prompt differs from the request before it at {_where(place)}{_named(causes)}."
    return Verdict("unknown", "client" if broken else "nobody", "unknown", expected, actual, 0, causes, place, words)


def _compare(
    usage: Usage,
    before: Predecessor,
    actual: int,
    expected: int,
    grade: Grade,
    broken: bool,
    causes: tuple[str, ...],
    place: Place | None,
    moved: str,
) -> Verdict:
    had = (before.prompt_tokens or 0) + (before.output_tokens or 0)
    had = min(had, usage.prompt_tokens) if usage.prompt_tokens is not None else had
    slack, unsure = SLACK, max(SLACK, round(_UNSURE * had))
    if actual >= had - slack:
        words = f"The server reused {actual:,} tokens: all that it had of this conversation."
        return Verdict("hit", "nobody", grade, expected, actual, 0, (), None, words)
    lost = had - actual
    outcome: Outcome = "miss" if actual < 0.1 * had else "partial"
    if broken and actual >= expected - unsure:
        where = _where(place) if place is not None else "a place that is not known"
        words = f"The client changed {where}{_named(causes)}: {lost:,} tokens behind it were processed again."
        return Verdict(outcome, "client", grade, expected, actual, lost, causes, place, words)
    if not broken and before.share < 1.0 and actual >= expected - unsure:
        words = f"The conversation went back to an earlier turn: {actual:,} tokens of it were still cached."
        return Verdict("hit", "nobody", grade, expected, actual, 0, (), None, words)
    blame: Blame = "server"
    mine: tuple[str, ...]
    if moved:
        blame, mine = "seat", ("SEA001",)
        words = f"The prompt was kept but its slot was not: {moved}. {lost:,} tokens were processed again."
    elif not broken and actual >= (before.prompt_tokens or 0) - slack:
        mine = ()
        words = f"The prompt was reused, the answer before it was not: {lost:,} tokens read another way than generated."
    else:
        mine = ("SRV001",)
        words = (
            f"The prompt was kept for {expected:,} tokens and the server reused {actual:,}: it had dropped the rest."
        )
    return Verdict(outcome, blame, grade, expected, actual, lost, (*mine, *causes), place, words)


def _where(place: Place) -> str:
    return f"{place.what}, {place.offset:,} characters in" if place.offset else place.what


def _named(causes: tuple[str, ...]) -> str:
    return f" ({', '.join(causes)})" if causes else ""


def _place(difference: Difference) -> Place | None:
    if difference.where == "none":
        return None
    return Place(
        difference.path,
        difference.offset,
        difference.what,
        redacted(difference.before, difference.offset),
        redacted(difference.after, difference.offset),
    )
