"""What is asked of a llama.cpp before a request takes its slot: small requests, so that nobody's cache is lost.

`session/affinity.py` says which way a slot is handed over, and why. When one of these requests fails that is no
failure: the real one then costs more.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from msgspec.structs import replace

from keepwarm.exchange.commands import Answered, Command, Event
from keepwarm.exchange.keeper import Keeper
from keepwarm.exchange.past import past_opening
from keepwarm.exchange.relay import Passage, Steps
from keepwarm.session.affinity import Choice, Guest
from keepwarm.session.lineage import Sent
from keepwarm.upstream import llamacpp
from keepwarm.upstream.api import Dialect, Draft, Outgoing

Asked = Generator[Command, Event | None, Answered]


class Handover:
    """The slot of one request, made ready for it.

    headers  of the request: the server may want its key for small ones too
    """

    def __init__(self, passage: Passage, keeper: Keeper, headers: tuple[tuple[str, str], ...]) -> None:
        self._passage = passage
        self._keeper = keeper
        self._headers = headers

    def look(self, guest: Guest, client: str) -> Steps:
        """Find out what the seat of a request hangs on, as far as that is not known yet."""
        late, trial = self._keeper.doubts(guest, client)
        if late is not None:
            yield from self._holds(late, unknown=True)
        if trial is not None:
            try:
                answers = []
                for request in llamacpp.trial(trial):
                    answers.append((yield from self._ask(request)))
                told = all(answer.status == 200 for answer in answers)
                self._keeper.learn_saves(told and llamacpp.reused(answers[-1].body) >= llamacpp.WORDS)
            finally:
                self._keeper.stop_trying()

    def perform(
        self, choice: Choice, outgoing: Outgoing, sent: Callable[[str], Sent], dialect: Dialect, draft: Draft
    ) -> Steps:
        """Hand the slot over.

        sent  what a conversation sent last, by its name
        """
        slot, self._headers = choice.slot, outgoing.headers
        if slot is None or choice.handover == "none":
            return
        if choice.handover in ("refill", "copy"):
            yield from self._ask(llamacpp.refill(slot))
            if choice.source is None or (yield from self._holds(choice.source)):
                return  # else the copy would be all that the other has
        rendered = yield from self._ask(llamacpp.render(outgoing))
        if rendered.status != 200:
            return
        small = llamacpp.clear(slot, rendered.body)
        if choice.handover == "split":
            counted = yield from self._counted(llamacpp.tokenize(rendered.body))
            small = llamacpp.split(slot, counted, choice.keeps)
        elif choice.handover == "keep" or (choice.handover == "share" and (yield from self._holds(slot))):
            other = yield from self._ask(llamacpp.render(past_opening(dialect, draft, sent(choice.before))))
            if choice.handover == "keep":
                small = llamacpp.keep(slot, rendered.body, other.body) if other.status == 200 else None
            elif other.status == 200:
                counted = yield from self._counted(llamacpp.tokenize_common(rendered.body, other.body))
                small = llamacpp.share(slot, counted, choice.keeps) or small
        if small is not None:
            yield from self._ask(small)

    def _holds(self, slot: int, *, unknown: bool = False) -> Generator[Command, Event | None, bool]:
        """Whether a slot still has what a conversation has left in it, while others were at work.

        unknown  what to take for an answer where the server does not say
        """
        told = yield from self._ask(llamacpp.slots())
        held = llamacpp.held(told.body, slot) if told.status == 200 else None
        if held is not None or unknown:
            self._keeper.learn_clears(held == 0)
        return unknown if held is None else held > 0

    def _counted(self, request: Outgoing | None) -> Generator[Command, Event | None, bytes]:
        return b"" if request is None else (yield from self._ask(request)).body

    def _ask(self, request: Outgoing) -> Asked:
        return (yield from self._passage.ask(replace(request, headers=self._headers)))
