"""The verdict: what the cache could have given one request, what it gave, and whose fault the difference is.

Two comparisons. With the request before it in its conversation: what did the client (or a rule that did not fire)
change? Then the prompt parts at a place, and what stands behind it is lost whatever the server does. And with the best
prefix that the server can still hold: if it reports less than that, the seat or the server is to blame.

A server that reports no cached tokens gets no verdict on them: not reported is not zero.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

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
    sibling: bool = False
    """True when it belongs to another conversation, of which this one could have shared the head."""
    points: tuple[tuple[float, int], ...] = ()
    """Places in its prompt of which the tokens are known from earlier requests: (share, tokens), in order."""
    held: int | None = None
    """Tokens of an older request that is another branch of the conversation, and of which this one repeats all."""


class Suspect(msgspec.Struct, frozen=True):
    """A place where the two requests differ."""

    difference: Difference
    codes: tuple[str, ...] = ()
    """The rules that know this cause, the most specific first."""


class Scene(msgspec.Struct, frozen=True):
    """What is known of the server besides its counts."""

    moved: str = ""
    """Why the conversation's slot was used by another in between; "" when it was not."""
    replica: str = ""
    """How another replica answered than before; "" when the same did, or nothing tells."""
    restarted: bool = False
    """The server was started anew since the request before."""
    memory: str = ""
    """"swa" or "recurrent" for a model that cannot go back; "" when it can, or nothing is known."""
    context: int | None = None
    """Tokens that one conversation can hold."""
    inline: str = ""
    """JSON pointer to a system message that went upstream among the others, where a server may move it to the head."""
    slotted: bool = True
    """The server keeps one conversation a slot, so that another one takes its place."""
    block: int = 1
    """Tokens that the server caches together."""


NOTHING_KNOWN: Final = Scene()


def judge(
    usage: Usage,
    before: Predecessor | None,
    suspects: tuple[Suspect, ...] = (),
    scene: Scene = NOTHING_KNOWN,
) -> Verdict:
    """The verdict for a request that the server has answered.

    usage     what the server reports
    before    the request of the same conversation before it; None for the first
    suspects  where the two differ, in the order in which models read; none when the older one is a prefix of this one
    """
    if before is None:
        return _first(usage)
    case = _Case(usage, before, suspects, scene)
    if usage.cached_tokens is None or before.prompt_tokens is None:
        return case.unreported()
    verdict = case.compare(usage.cached_tokens)
    return replace(verdict, lost_ms=_milliseconds(verdict.lost, usage))


def settle(verdict: Verdict, shared: int, suspects: tuple[Suspect, ...], had: int) -> Verdict:
    """The verdict as the server's own tokens tell it: the two prompts share their first `shared` tokens.

    had  tokens of the prompt before
    """
    actual = verdict.actual
    if actual is None or verdict.outcome in ("hit", "first", "unknown"):
        return replace(verdict, grade="exact", expected=shared)
    lost = max(0, had - actual)
    if verdict.blame in ("client", "server") and suspects and shared < had - 1:
        blame: Blame = "client" if actual >= shared - SLACK else verdict.blame
        return replace(verdict, grade="exact", expected=shared, lost=lost, blame=blame)
    return replace(verdict, grade="exact", expected=shared, lost=lost)


def _first(usage: Usage) -> Verdict:
    actual = usage.cached_tokens
    if actual:
        words = f"The first request of its conversation; the server had {actual:,} tokens of it from others."
    else:
        words = "The first request of its conversation: nothing of it could be cached yet."
    return Verdict("first", "nobody", "counted" if actual is not None else "unknown", 0, actual, sentence=words)


class _Case:
    """One request against the one before it."""

    def __init__(self, usage: Usage, before: Predecessor, suspects: tuple[Suspect, ...], scene: Scene) -> None:
        self._usage = usage
        self._before = before
        self._scene = scene
        self._suspects = suspects
        self._tokens = before.prompt_tokens or 0
        had = self._tokens if before.sibling else self._tokens + (before.output_tokens or 0)
        limit = usage.prompt_tokens
        self._had = had if limit is None else min(had, limit)
        self._unsure = max(SLACK + scene.block, round(_UNSURE * self._had))
        self._slack = SLACK + scene.block

    def unreported(self) -> Verdict:
        """Nothing is known of what was reused."""
        actual = self._usage.cached_tokens
        words = "The server does not report cached tokens, so what it reused is not known."
        if actual is not None:
            words = f"The server reused {actual:,} tokens; what it could have reused is not known."
        place = None
        if self._suspects:
            place = _place(self._suspects[0])
            words += f" The prompt differs from the request before it at {_where(place)}{_named(self._codes())}."
        causes = (*self._codes(), *(("SRV006",) if actual is None else ()))
        blame: Blame = "client" if self._suspects else "nobody"
        expected = self._expected(self._suspects) if self._before.prompt_tokens is not None else None
        return Verdict("unknown", blame, "unknown", expected, actual, 0, causes, place, words)

    def compare(self, actual: int) -> Verdict:
        """The server says that it reused `actual` tokens."""
        costly = self._costly(actual)
        expected = self._expected(costly, actual)
        grade: Grade = "estimated" if costly or self._before.share < 1.0 else "counted"
        if actual >= self._had - self._slack or actual >= self._branch() - self._slack:
            return self._hit(actual, expected, grade)
        if self._before.sibling and not costly:
            return _first(self._usage)
        if costly and actual >= expected - self._unsure:
            place = _place(costly[0])
            codes = self._codes(costly)
            again = f"{self._had - actual:,} tokens behind it were processed again."
            words = f"The client changed {_where(place)}{_named(codes)}: {again}"
            return self._verdict(actual, "client", grade, expected, codes, place, words)
        if not costly and self._before.share < 1.0 and actual >= expected - self._unsure:
            words = f"The conversation went back to an earlier turn: {actual:,} tokens of it were still cached."
            return Verdict("hit", "nobody", grade, expected, actual, 0, (), None, words, had=self._had)
        return self._not_the_clients(actual, expected, grade, costly)

    def _hit(self, actual: int, expected: int, grade: Grade) -> Verdict:
        words = f"The server reused {actual:,} tokens: all that it had of this conversation."
        if self._before.sibling:
            words = f"The first request of its conversation; the server had {actual:,} tokens of it from another."
            return Verdict("first", "nobody", grade, expected, actual, 0, (), None, words, had=self._had)
        return Verdict("hit", "nobody", grade, expected, actual, 0, (), None, words, had=self._had)

    def _not_the_clients(self, actual: int, expected: int, grade: Grade, costly: tuple[Suspect, ...]) -> Verdict:
        """The prompt was kept for more than the server reused."""
        kept = f"The prompt was kept for {expected:,} tokens and the server reused {actual:,}"
        place = _place(costly[0]) if costly else None
        blame, code, why = self._fault(actual, bool(costly))
        if code == "ROL001":
            place = Place(self._scene.inline, 0, "a system message among the others")
        return self._verdict(actual, blame, grade, expected, (code, *self._codes(costly)), place, f"{kept}: {why}.")

    def _fault(self, actual: int, parted: bool) -> tuple[Blame, str, str]:
        """Whose fault it is, and why; the most certain first."""
        scene = self._scene
        if scene.moved and scene.slotted:
            return "seat", "SEA001", scene.moved
        if scene.replica:
            return "seat", "SEA002", f"another replica answered, {scene.replica}"
        if scene.restarted:
            return "server", "SRV004", "it was started anew, or has loaded its model again"
        if not parted and actual >= self._tokens - self._slack:
            return "server", "HIS008", "the answer before reads another way than it was generated"
        if scene.inline and not parted:
            return "client", "ROL001", "system messages among the others were moved to the head"
        if scene.context and (self._usage.prompt_tokens or 0) >= scene.context - self._slack:
            return "server", "SRV003", f"its context of {scene.context:,} tokens is full and was cut"
        if scene.memory:
            how = "go back to an earlier place" if parted else "go on but from where it stopped"
            return "server", "SRV002", f"its model ({scene.memory}) cannot {how}"
        return "server", "SRV001", "it had dropped the rest"

    def _verdict(
        self,
        actual: int,
        blame: Blame,
        grade: Grade,
        expected: int,
        causes: tuple[str, ...],
        place: Place | None,
        words: str,
    ) -> Verdict:
        outcome: Outcome = "miss" if actual < 0.1 * self._had else "partial"
        lost = self._had - actual
        return Verdict(outcome, blame, grade, expected, actual, lost, causes, place, words, had=self._had)

    def _costly(self, actual: int) -> tuple[Suspect, ...]:
        """The suspects that may have cost something: what the server has reused past cost nothing."""
        behind = tuple(one for one in self._suspects if self._at(one.difference.most) >= actual - self._unsure)
        # Something was changed, and the server cannot have reused past it: then the estimate is off.
        return behind or self._suspects[-1:]

    def _branch(self) -> int:
        """Tokens that another branch of the conversation left; more than there are where there is none."""
        held = self._before.held
        return held if held is not None else self._had + self._slack

    def _at(self, share: float) -> int:
        """Tokens up to a place, from bytes between two places of which the server has told the tokens."""
        low, below, high, above = 0.0, 0, 1.0, self._tokens
        for place, tokens in self._before.points:
            if place <= share:
                low, below = place, tokens
            else:
                high, above = place, tokens
                break
        if share >= high or high <= low:
            return above
        return round(below + (above - below) * (share - low) / (high - low))

    def _expected(self, suspects: tuple[Suspect, ...], actual: int = 0) -> int:
        """Tokens that the server could have reused; where that is told from bytes, what it did reuse says more."""
        if suspects:
            first = suspects[0].difference
            expected = min(max(actual, self._at(first.share)), self._at(first.most))
        elif self._before.share < 1.0:
            expected = round(self._tokens * self._before.share)
        else:
            answer = (self._before.output_tokens or 0) if self._before.replayed else 0
            expected = self._tokens + answer
        limit = self._usage.prompt_tokens
        return expected if limit is None else min(expected, limit)

    def _codes(self, suspects: tuple[Suspect, ...] | None = None) -> tuple[str, ...]:
        """The causes, the one that costs most first: one for each place."""
        rows = self._suspects if suspects is None else suspects
        return tuple(dict.fromkeys(suspect.codes[0] for suspect in rows if suspect.codes))


def _milliseconds(lost: int, usage: Usage) -> float | None:
    """What the lost tokens took, at the rate at which this prompt was processed."""
    processed = usage.processed_tokens
    if not lost or usage.prompt_ms is None or not processed:
        return None
    return lost * usage.prompt_ms / processed


def _where(place: Place) -> str:
    return f"{place.what}, {place.offset:,} characters in" if place.offset else place.what


def _named(causes: tuple[str, ...]) -> str:
    return f" ({', '.join(causes)})" if causes else ""


def _place(suspect: Suspect) -> Place:
    difference = suspect.difference
    return Place(
        difference.path,
        difference.offset,
        difference.what,
        redacted(difference.before, difference.offset),
        redacted(difference.after, difference.offset),
    )
