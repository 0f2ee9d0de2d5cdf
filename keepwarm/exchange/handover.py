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
from keepwarm.session.affinity import CLEARED, Choice
from keepwarm.session.lineage import Sent
from keepwarm.session.seat_table import Guest
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
        self.missed = ""
        """Why the head in another slot is not to be had after all."""

    def look(self, guest: Guest, client: str) -> Steps:
        """Find out what the seat of a request hangs on, as far as that is not known yet."""
        late, trial = self._keeper.doubts(guest, client)
        if late is not None:
            held = yield from self._held(late[0])
            if held == 0 or late[1]:
                self._keeper.learn_clears(held == 0)
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
        small: Outgoing | None = None
        if rendered.status == 200 and choice.handover == "split":
            counted = yield from self._counted(llamacpp.tokenize(rendered.body))
            small = llamacpp.split(slot, counted, choice.keeps)
        elif rendered.status == 200 and choice.handover in ("keep", "share"):
            small = yield from self._common(choice, rendered.body, past_opening(dialect, draft, sent(choice.before)))
        if rendered.status == 200 and small is None and choice.handover != "keep":
            beginning = llamacpp.tokenize(rendered.body, llamacpp.BEGINNING)
            small = llamacpp.clear(slot, (yield from self._counted(beginning)))
        if small is not None:
            yield from self._ask(small)

    def _common(
        self, choice: Choice, rendered: bytes, opening: Outgoing
    ) -> Generator[Command, Event | None, Outgoing | None]:
        """What the conversation has in common with the one in its slot, into that slot: all of it, or as much as leaves
        the content to be saved."""
        assert choice.slot is not None
        if choice.handover == "share" and not (yield from self._holds(choice.slot)):
            return None
        other = yield from self._ask(llamacpp.render(opening))
        if other.status != 200:
            return None
        if choice.handover == "keep":
            return llamacpp.keep(choice.slot, rendered, other.body)
        counted = yield from self._counted(llamacpp.tokenize_common(rendered, other.body))
        return llamacpp.share(choice.slot, counted, choice.keeps)

    def _holds(self, slot: int) -> Generator[Command, Event | None, bool]:
        """Whether a slot still has what a conversation has left in it, though another is at work: it is known then."""
        held = yield from self._held(slot)
        if held is not None:
            self._keeper.learn_clears(held == 0)
        self.missed = "" if held else "the server does not say what is in a slot" if held is None else CLEARED
        return bool(held)

    def _held(self, slot: int) -> Generator[Command, Event | None, int | None]:
        told = yield from self._ask(llamacpp.slots())
        return llamacpp.held(told.body, slot) if told.status == 200 else None

    def _counted(self, request: Outgoing | None) -> Generator[Command, Event | None, bytes]:
        return b"" if request is None else (yield from self._ask(request)).body

    def _ask(self, request: Outgoing) -> Asked:
        return (yield from self._passage.ask(replace(request, headers=self._headers)))
