"""A verdict made exact: the server is asked for its own token ids of two prompts, after the answer and beside the rest.

An `Inquiry` is a generator like a life: it yields `Ask`, gets `Answered`, and ends with a better verdict or with None.
The older prompt is made again from what stands, so no ids and no second body are kept in memory for it. Nothing is
claimed unless the ids are as many as the server counted when it read the prompts, and nothing about an older prompt
that the server's template may have dated.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.core.clock import without_figures
from keepwarm.core.diff import Difference, common_prefix
from keepwarm.core.events import Usage
from keepwarm.exchange.commands import Answered, Ask
from keepwarm.exchange.parting import Parting, narrow
from keepwarm.exchange.past import past, past_head
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.verdict import SLACK, Predecessor, Scene, Suspect, judge
from keepwarm.session.lineage import Sent
from keepwarm.upstream.api import Dialect, Draft, Outgoing
from keepwarm.upstream.fresh_start import Tally, has_started_anew
from keepwarm.upstream.token_ids import NotTold, Prompt, Questions, Way, ask, ways

WINDOW = 64
"""Tokens behind a place that are looked at to know it again; of text, four times as many characters."""
BEGINNING = 24
"""Characters of a text that tell it from others."""
_REASONING = re.compile(rb'"(?:reasoning_content|reasoning|thinking)"\s*:\s*("(?:[^"\\]|\\.)*")')
Steps: TypeAlias = Generator[Ask, Answered, Verdict | None]


class Case(msgspec.Struct, frozen=True):
    """What a verdict was made of."""

    usage: Usage
    before: Predecessor | None
    suspects: tuple[Suspect, ...]
    scene: Scene


class Question(msgspec.Struct, frozen=True):
    """A request whose verdict could be better, and all that is needed to ask."""

    record: Record
    case: Case
    dialect: Dialect
    now: Draft
    """As it went upstream."""
    sent: Sent
    """The request that it was compared with."""
    tally: Tally | None = None
    """What the server has counted if it was not started anew; None where that would say nothing."""
    exact: bool = True
    """Whether it is asked for its token ids."""


def question(
    record: Record, case: Case, dialect: Dialect, now: Draft, sent: Sent, tally: Tally | None = None
) -> Question | None:
    """The question, where an answer would say more than the counts do: something was lost, or it rests on bytes.

    tally  what the server must have counted, where it may be asked for that
    """
    if tally is not None and not _could_be_anew(record.verdict, case):
        tally = None
    exact = _could_be_exact(record.verdict, case, dialect, sent)
    return Question(record, case, dialect, now, sent, tally, exact) if exact or tally is not None else None


def _could_be_anew(verdict: Verdict | None, case: Case) -> bool:
    """Whether a new start of the server would explain what was lost."""
    if verdict is None or not verdict.lost or case.before is None or case.before.sibling:
        return False
    return judge(case.usage, case.before, case.suspects, _restarted(case.scene)).causes != verdict.causes


def _restarted(scene: Scene) -> Scene:
    return replace(scene, server=replace(scene.server, restarted=True))


def _could_be_exact(verdict: Verdict | None, case: Case, dialect: Dialect, sent: Sent) -> bool:
    before = case.before
    if verdict is None or before is None or not ways(dialect.name, dialect.protocol):
        return False
    if not verdict.lost and (verdict.grade != "estimated" or verdict.outcome == "first"):
        return False
    if any(suspect.difference.path == "/model" for suspect in case.suspects):  # ids of two models cannot be compared
        return False
    return None not in (case.usage.cached_tokens, case.usage.prompt_tokens, sent.prompt_tokens)


class Inquiry:
    """One question being asked."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._case = question.case
        self.never = False
        """The server cannot be asked: nobody need try again."""
        self.anew = False
        """The server has been started anew since the request before."""

    def run(self) -> Steps:
        """The better verdict; None where the server does not tell enough for one."""
        shown: Verdict | None = None
        if self._question.tally is not None:
            shown = yield from self._asked(self._anew(self._question.tally))
        exact = (yield from self._asked(self._verdict())) if self._question.exact else None
        return exact or shown

    def _asked(self, questions: Questions[Verdict | None]) -> Steps:
        try:
            asked = next(questions)
            while True:
                answer = yield Ask(asked)
                asked = questions.send((answer.status, answer.body))
        except StopIteration as over:
            return over.value if isinstance(over.value, Verdict) else None
        except NotTold as error:
            self.never = error.never
            return None

    def _anew(self, tally: Tally) -> Questions[Verdict | None]:
        """The verdict where the server has been started anew; None where nothing shows it."""
        question, case = self._question, self._case
        self.anew = yield from has_started_anew(question.dialect.name, tally, question.now.headers)
        if not self.anew:
            return None
        self._case = replace(case, scene=_restarted(case.scene))
        return judge(case.usage, case.before, case.suspects, self._case.scene)

    def _verdict(self) -> Questions[Verdict | None]:
        question, before = self._question, self._case.before
        older = past(question.dialect, question.now, question.sent)
        if older is None or before is None:
            return None
        request = question.dialect.request(question.now)
        way, now = yield from ask(ways(question.dialect.name, question.dialect.protocol), request)
        if len(now.ids) != self._case.usage.prompt_tokens:
            return None
        old = yield from way.prompt(older)
        if len(old.ids) != question.sent.prompt_tokens:
            return None
        shared = common_prefix(now.ids, old.ids)
        if before.sibling:
            other = past_head(question.dialect, question.now, question.sent)
            head = common_prefix(old.ids, (yield from way.prompt(other)).ids)
            shared = min(shared, head)
            before = replace(before, prompt_tokens=head)
        before = replace(before, shared=shared)
        # What a template does is read off the prompts themselves.
        suspects = tuple(one for one in self._case.suspects if one.difference.where != "template")
        tokens = before.prompt_tokens or 0
        if shared < tokens and (suspects or before.share >= 1.0):
            parting = yield from _parting(way, request, (now, old), shared)
            suspects = narrow(suspects, parting, before) or suspects
            if not suspects and shared < tokens - SLACK:
                suspects = (_template(parting, question.sent),)
        else:  # what is lost stands in the answer before
            suspects = tuple(one for one in self._case.suspects if one.difference.most >= 1.0)
        verdict = judge(self._case.usage, before, suspects, self._case.scene)
        if _unexplained(verdict, shared - SLACK - self._case.scene.block) and (yield from way.has_clock(request)):
            return None
        return verdict


def _parting(way: Way, request: Outgoing, prompts: tuple[Prompt, Prompt], shared: int) -> Questions[Parting]:
    """The words around the place where two prompts part."""
    now, old = prompts
    if now.text and old.text:
        at = common_prefix(now.text, old.text)
        start, end = max(0, at - 4 * WINDOW), at + 4 * WINDOW
        return Parting(shared, now.text[start:at], old.text[at:end], now.text[at:end], at)
    front = yield from way.words(request, now.ids[max(0, shared - WINDOW) : shared])
    was = yield from way.words(request, old.ids[shared : shared + WINDOW])
    is_now = yield from way.words(request, now.ids[shared : shared + WINDOW])
    same = common_prefix(was, is_now)
    return Parting(shared, front + was[:same], was[same:], is_now[same:])


def _template(parting: Parting, sent: Sent) -> Suspect:
    """What is to be said where nothing that went upstream differs, and the prompts part all the same."""
    codes: tuple[str, ...] = ()
    if without_figures(parting.front[-16:] + parting.old) == without_figures(parting.front[-16:] + parting.new):
        codes = ("VOL003",)
    elif any(_reasoning_goes(step.turn.chunk or step.turn.raw, parting) for step in sent.trail.steps):
        codes = ("HIS002",)
    before, after = parting.front + parting.old, parting.front + parting.new
    what = f"what stands at token {parting.shared:,}"
    return Suspect(Difference("template", "", what, before, after, len(parting.front), "changed", 1.0, 1.0), codes)


def _reasoning_goes(turn: bytes, parting: Parting) -> bool:
    """Whether reasoning that was sent in `turn` begins where two prompts part, and stands in the older one only."""
    was, now = parting.front[-BEGINNING:] + parting.old, parting.front[-BEGINNING:] + parting.new
    texts = (msgspec.json.decode(text, type=str).strip()[:BEGINNING] for text in _REASONING.findall(turn))
    return any(text and text in was and text not in now for text in texts)


def _unexplained(verdict: Verdict, least: int) -> bool:
    """Whether the server reused less than it had to, as both prompts are made today."""
    return verdict.actual is not None and verdict.actual < least and verdict.lost > 0
