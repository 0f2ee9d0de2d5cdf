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

from keepwarm.core.diff import Difference, excerpt
from keepwarm.core.events import Usage
from keepwarm.ledger.records import Blame, Grade, Outcome, Place, Verdict
from keepwarm.ledger.server_side import NEAR, WHY, Loss, Server, server_cause

SLACK: Final = 64
"""Tokens that any request may pay above the ideal: the prompt's last token is always run, the answer's last one is
not yet in the cache, and generated tokens are not always the re-tokenised text."""
_UNSURE: Final = 0.1
"""How far an estimate from bytes may be off, as a part of the prompt before."""
_HEAD_UNSURE: Final = 0.5
"""What of such an estimate is sure in the head: a template prints tools at more length than they have in a request,
words of its own between them, and the system prompt before or behind them."""


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
    shared: int | None = None
    """Leading tokens that both prompts have, by the server's own ids; None where it was not asked for them. The
    suspects are then those that stand behind these."""

    def at(self, share: float) -> int:
        """Tokens up to a place, from bytes between two places of which the server has told the tokens."""
        low, below, high, above = 0.0, 0, 1.0, self.prompt_tokens or 0
        for place, tokens in self.points:
            if place <= share:
                low, below = place, tokens
            else:
                high, above = place, tokens
                break
        if share >= high or high <= low:
            return above
        return round(below + (above - below) * (share - low) / (high - low))

    def behind(self, share: float) -> int:
        """Tokens up to the first place behind this one of which the server has told them: there are no more."""
        return next((tokens for place, tokens in self.points if place >= share), self.prompt_tokens or 0)


class Suspect(msgspec.Struct, frozen=True):
    """A place where the two requests differ."""

    difference: Difference
    codes: tuple[str, ...] = ()
    """The rules that know this cause, the most specific first."""

    @property
    def in_head(self) -> bool:
        """Whether it stands in front of the first turn."""
        return self.difference.where in ("options", "system", "tools")


class HeadElsewhere(msgspec.Struct, frozen=True):
    """Where the head of a new conversation stood when its first request came: with another conversation."""

    tokens: int = 0
    """Of it, about; 0 where it stood nowhere."""
    slot: int | None = None
    """None where it stood in none, and the server may have saved it."""
    missed: str = ""
    """Why it was not to be had from there; "" where it was fetched."""
    unsure: bool = False
    """It may be more tokens."""


NOWHERE: Final = HeadElsewhere()


class Scene(msgspec.Struct, frozen=True):
    """What is known of the server besides its counts."""

    moved: str = ""
    """Why the conversation's slot was used by another in between; "" when it was not."""
    replica: str = ""
    """How another replica answered than before; "" when the same did, or nothing tells."""
    server: Server = Server()
    """What is known of the server itself."""
    seated: bool = False
    """The gateway chose the slot."""
    inline: str = ""
    """JSON pointer to a system message that went upstream among the others, where a server may move it to the head."""
    slotted: bool = True
    """The server keeps one conversation a slot, so that another one takes its place."""
    block: int = 1
    """Tokens that the server caches together."""
    marks: tuple[str, ...] = ()
    """What is wrong with the cache markers, by rule, for a server that keeps only what is marked."""
    pace: float | None = None
    """Milliseconds that a token takes to be processed, where the server does not measure this prompt itself."""
    plain: bool = False
    """Excerpts show words: the texts are recorded anyway."""
    anew: str = ""
    """Why the conversation begins anew in another slot, where that spares another one as much; "" when it does not."""
    handed_over: bool = False
    """The slot was another conversation's in between, which gave it up in order: the server could save the content."""
    hung_up: bool = False
    """The client was gone before the answer was whole: a server that tells its counts at the end told none."""
    head: HeadElsewhere = NOWHERE
    """Of the first request of a conversation."""


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
        return _first(usage, scene.head)
    case = _Case(usage, before, suspects, scene)
    if usage.cached_tokens is None or before.prompt_tokens is None:
        return case.unreported()
    verdict = case.compare(usage.cached_tokens)
    return replace(verdict, lost_ms=_milliseconds(verdict.lost, usage, scene.pace), shared=before.shared)


def _first(usage: Usage, head: HeadElsewhere) -> Verdict:
    actual = usage.cached_tokens
    words = "The first request of its conversation"
    if (actual or 0) > NEAR:  # fewer are keepwarm's own, to clear the slot
        origin = f"a copy of slot {head.slot}" if head.slot is not None and not head.missed else "others"
        words += f"; the server had {actual:,} tokens of it from {origin}."
    else:
        words += "." if head.tokens or head.unsure else ": nothing of it could be cached yet."
    if head.tokens and actual is not None and actual < (1.0 - _UNSURE) * head.tokens:
        where = "in what the server saved of" if head.slot is None else f"in slot {head.slot}, that of"
        missed = head.missed or "the server had no copy of it to load"
        words += f" About {head.tokens:,} tokens of its head stood {where} another conversation: {missed}."
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
        self._slack = SLACK + scene.block
        self._unsure = self._slack if before.shared is not None else max(self._slack, round(_UNSURE * self._had))

    def unreported(self) -> Verdict:
        """Nothing is known of what was reused."""
        actual = self._usage.cached_tokens
        cut = self._scene.hung_up
        words = "The server does not report cached tokens, so what it reused is not known."
        if cut:
            words = "The client hung up before the server had told what it reused."
        if actual is not None:
            words = f"The server reused {actual:,} tokens; what it could have reused is not known."
        place = None
        if self._suspects:
            place = self._place(self._suspects[0])
            words += f" The prompt differs from the request before it at {_where(place)}{_named(self._codes())}."
        causes = (*self._codes(), *(("SRV006",) if actual is None and not cut else ()))
        blame: Blame = "client" if self._suspects else "nobody"
        expected = self._expected(self._suspects) if self._before.prompt_tokens is not None else None
        places = self._places(self._suspects)
        return Verdict("unknown", blame, "unknown", expected, actual, 0, causes, place, words, places=places)

    def compare(self, actual: int) -> Verdict:
        """The server says that it reused `actual` tokens."""
        costly = self._costly(actual)
        expected = self._expected(costly, actual)
        grade = self._grade(costly)
        if actual >= self._had - self._slack or actual >= self._branch() - self._slack:
            return self._hit(actual, expected, grade)
        if self._before.sibling and not costly:
            return _first(self._usage, self._scene.head)
        if self._scene.anew:
            words = f"Processed once more, in a slot of its own: {self._scene.anew}."
            return Verdict("first", "nobody", grade, 0, actual, sentence=words)
        if costly and actual >= expected - self._unsure:
            return self._parted(actual, expected, grade, costly)
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

    def _parted(self, actual: int, expected: int, grade: Grade, costly: tuple[Suspect, ...]) -> Verdict:
        """The prompt is not the one before to its end, and that is what was lost."""
        place, codes = self._place(costly[0]), self._codes(costly)
        words = f"The client changed {_where(place)}{_named(codes)}: "
        blame: Blame = "client"
        if costly[0].difference.where == "template":
            blame = "server"
            words = f"The server's chat template prints {place.what} another way than before{_named(codes)}: "
        words += f"{self._had - actual:,} tokens behind it were processed again."
        if actual < expected - self._unsure:  # and more
            _, code, why = self._fault(actual, True)
            codes = (*codes, code)
            words += f" Of the {expected:,} tokens in front of it the server reused {actual:,}: {why}."
        return self._verdict(actual, blame, grade, expected, codes, costly, words)

    def _not_the_clients(self, actual: int, expected: int, grade: Grade, costly: tuple[Suspect, ...]) -> Verdict:
        """The prompt was kept for more than the server reused."""
        if costly and self._before.shared is not None and self._had - expected >= expected - actual:
            return self._parted(actual, expected, grade, costly)  # what the client did cost more
        kept = f"The prompt was kept for {expected:,} tokens and the server reused {actual:,}"
        blame, code, why = self._fault(actual, bool(costly))
        verdict = self._verdict(actual, blame, grade, expected, (code, *self._codes(costly)), costly, f"{kept}: {why}.")
        if code != "ROL001":
            return verdict
        place = Place(self._scene.inline, 0, "a system message among the others", code=code)
        return replace(verdict, place=place, places=(place, *verdict.places))

    def _fault(self, actual: int, parted: bool) -> tuple[Blame, str, str]:
        """Whose fault it is, and why; the most certain first."""
        scene = self._scene
        if scene.server.restarted or (scene.server.newborn and actual <= NEAR):
            return "server", "SRV004", WHY["SRV004"]
        if scene.moved and scene.slotted and not scene.handed_over:
            return "seat", "SEA001", scene.moved
        if scene.replica:
            return "seat", "SEA002", f"another replica answered, {scene.replica}"
        if scene.marks:
            return "client", scene.marks[0], "the cache markers are not where they would keep it"
        # Where a system message stands among the others, only what begins right behind the prompt is the answer's.
        near = NEAR + scene.block if scene.inline else self._slack
        if not parted and actual >= self._tokens - near:
            return "server", "HIS008", "the answer before reads another way than it was generated"
        if scene.inline and not parted:
            return "client", "ROL001", "system messages among the others were moved to the head"
        loss = Loss(
            actual=actual,
            prompt_tokens=self._usage.prompt_tokens,
            before=self._before.prompt_tokens,
            answer=self._before.output_tokens,
            appended=not parted and self._before.share >= 1.0,
            seated=scene.seated,
            handed_over=scene.handed_over,
        )
        code = server_cause(loss, scene.server)
        return "server", code, WHY[code]

    def _verdict(
        self,
        actual: int,
        blame: Blame,
        grade: Grade,
        expected: int,
        causes: tuple[str, ...],
        costly: tuple[Suspect, ...],
        words: str,
    ) -> Verdict:
        outcome: Outcome = "miss" if actual < 0.1 * self._had else "partial"
        lost = self._had - actual
        causes = tuple(dict.fromkeys((*causes, *self._scene.marks)))
        place, places = (self._place(costly[0]) if costly else None), self._places(costly)
        return Verdict(
            outcome, blame, grade, expected, actual, lost, causes, place, words, had=self._had, places=places
        )

    def _grade(self, costly: tuple[Suspect, ...]) -> Grade:
        if self._before.shared is not None:
            return "exact"
        return "estimated" if costly or self._before.share < 1.0 else "counted"

    def _costly(self, actual: int) -> tuple[Suspect, ...]:
        """The suspects that may have cost something: what the server has reused past cost nothing."""
        if self._before.shared is not None and actual <= self._before.shared + self._slack:
            return self._suspects
        behind = tuple(one for one in self._suspects if self._latest(one) >= actual - self._unsure)
        if not self._scene.slotted and (not behind or self._expected(behind, actual) - self._unsure > actual):
            # A server that keeps many prompts had more of it from an older one: what was changed is lost all the same.
            return self._suspects
        if behind:
            return behind
        # Something was changed, and the server cannot have reused past it: then the estimate is off.
        return self._suspects[-1:]

    def _latest(self, suspect: Suspect) -> int:
        """Tokens that stand before a place at the most; one in the answer before is behind the prompt before."""
        most = suspect.difference.most
        if most >= 1.0:
            return self._had
        return self._before.behind(most) if suspect.in_head else self._before.at(most)

    def _earliest(self, suspects: tuple[Suspect, ...]) -> int:
        """Tokens that stand before the first of these places at the least."""
        head = [self._before.at(one.difference.share) for one in suspects if one.in_head]
        return round(_HEAD_UNSURE * min(head)) if head else self._before.at(suspects[0].difference.share)

    def _branch(self) -> int:
        """Tokens that another branch of the conversation left; more than there are where there is none."""
        held = self._before.held
        return held if held is not None else self._had + self._slack

    def _expected(self, suspects: tuple[Suspect, ...], actual: int = 0) -> int:
        """Tokens that the server could have reused; where that is told from bytes, what it did reuse says more."""
        shared = self._before.shared
        if shared is not None and shared < self._tokens:
            expected = shared
        elif suspects and shared is None:
            expected = min(max(actual, self._earliest(suspects)), self._latest(suspects[0]))
        elif self._before.share < 1.0 and shared is None:
            expected = round(self._tokens * self._before.share)
        else:
            answer = (self._before.output_tokens or 0) if self._before.replayed else 0
            expected = self._tokens + answer
        if shared is not None:  # what was reused could be: another branch may have left it, or the answer before
            expected = max(expected, actual)
        limit = self._usage.prompt_tokens
        return expected if limit is None else min(expected, limit)

    def _place(self, suspect: Suspect) -> Place:
        difference, plain = suspect.difference, self._scene.plain
        before, after = (
            excerpt(text, difference.offset, plain=plain) for text in (difference.before, difference.after)
        )
        code = suspect.codes[0] if suspect.codes else ""
        return Place(difference.path, difference.offset, difference.what, before, after, code)

    def _places(self, suspects: tuple[Suspect, ...]) -> tuple[Place, ...]:
        """The first place of each cause, and the very first whether its cause is known or not."""
        first: dict[str, Suspect] = {}
        for suspect in suspects:
            first.setdefault(suspect.codes[0] if suspect.codes else "", suspect)
        return tuple(map(self._place, first.values()))

    def _codes(self, suspects: tuple[Suspect, ...] | None = None) -> tuple[str, ...]:
        """The causes, the one that costs most first: one for each place."""
        rows = self._suspects if suspects is None else suspects
        return tuple(dict.fromkeys(suspect.codes[0] for suspect in rows if suspect.codes))


def _milliseconds(lost: int, usage: Usage, pace: float | None) -> float | None:
    """What the lost tokens took, at the rate at which this prompt was processed, or else at a usual pace."""
    processed = usage.processed_tokens
    if lost and usage.prompt_ms is not None and processed:
        return lost * usage.prompt_ms / processed
    return lost * pace if lost and pace is not None else None


def _where(place: Place) -> str:
    return f"{place.what}, {place.offset:,} characters in" if place.offset else place.what


def _named(causes: tuple[str, ...]) -> str:
    return f" ({', '.join(causes)})" if causes else ""
