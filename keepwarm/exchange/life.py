"""One request's life, top to bottom. Read this first.

    parse -> Fetch what stands -> stabilise -> seat -> Open upstream -> relay each event as it comes -> judge
          -> Write the record

`Life.run` is a generator: it yields commands, the shell performs them and answers each `Wait` with an event. It
decides everything and does nothing, so a whole life can be played in a test. Whatever events arrive, it ends
in exactly one Write.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.codec.lead import Cut, lead_of
from keepwarm.core import digest
from keepwarm.core.events import Failed
from keepwarm.core.secret import Parcel
from keepwarm.errors import ClientError
from keepwarm.exchange import headers as pass_on
from keepwarm.exchange.commands import (
    Close,
    Command,
    Event,
    Fetch,
    Fetched,
    Headers,
    HungUp,
    Reply,
    Tick,
    Wait,
    Write,
)
from keepwarm.exchange.compare import Now
from keepwarm.exchange.diagnosis import diagnose
from keepwarm.exchange.exact import Question
from keepwarm.exchange.handover import Handover
from keepwarm.exchange.keeper import Call, Keeper, Terms
from keepwarm.exchange.marking import mark
from keepwarm.exchange.relay import Gone, Passage
from keepwarm.exchange.routing import Asker, find_way
from keepwarm.exchange.stabilise import Stabiliser, Stable
from keepwarm.exchange.story import UNSET, Story
from keepwarm.ledger.records import Record, Recording, Seat
from keepwarm.ledger.verdict import HeadElsewhere
from keepwarm.rules import key002
from keepwarm.rules.key002 import Route
from keepwarm.session import archive
from keepwarm.session.affinity import Choice
from keepwarm.session.heads import Twin, twins
from keepwarm.session.lineage import Sent
from keepwarm.session.seat_table import SIDE, Alike, Guest
from keepwarm.upstream.api import Outgoing
from keepwarm.wire.api import Front

Steps: TypeAlias = Generator[Command, Event | None, None]
FETCH_SECONDS: Final = 0.5
"""How long a conversation that is not in memory is looked for; a slow disk must not keep a new one waiting."""


class Life:
    """One request."""

    def __init__(self, call: Call, keeper: Keeper, front: Front) -> None:
        self.story = Story(call, front.name, keeper.kind)
        self._keeper = keeper
        self._front = front
        self._slot: int | None = None
        self._passage: Passage | None = None
        self._cut: Cut | None = None
        self._twins: tuple[Twin, ...] = ()
        self.question: Question | None = None
        """When the life is over: what may be asked beside, to know its verdict better."""

    def run(self) -> Steps:
        """The life itself."""
        try:
            yield from self._serve()
        except ClientError as error:
            yield self._refuse(error)
        except Gone:
            self.story.ending = "hung_up"
            self.story.status = self.story.status or 499
            yield Close()
        parcel = self._remember()
        yield Write(*self.close(), parcel)

    def close(self) -> tuple[Record, Recording | None]:
        """Give the seat back and make the record. The shell calls it when a life breaks; else `run` does."""
        self._keeper.stand_up(self._slot, self.story.usage)
        self._slot = None
        if self.story.lost:
            self._keeper.lost()
        elif self.story.ending == "done":
            self._keeper.count(self.story.model, self.story.usage, self.story.replica)
        record, recording = self.story.record(self._keeper)
        self.question = self.story.question(self._keeper, record)
        return record, recording

    def _serve(self) -> Steps:
        story, keeper = self.story, self._keeper
        cut = self._cut = keeper.leads.find(story.call.body)
        parsed = story.parsed = self._front.parse(story.call.body, cut)
        who = story.who = self._front.identity(story.call.headers, parsed)
        journal, terms = keeper.journal, keeper.terms(self._front.name)
        rules = story.rules = terms.books.book(who.client)
        stabiliser = Stabiliser(journal, rules, terms.dialect, self._front)
        opening = stabiliser.begin(parsed, who.session, who.agent)
        fetch = opening.unknown() if terms.manner.archive else None
        if fetch is not None:
            yield from self._fetch(fetch)
        stable = stabiliser.go_on(opening)
        if fetch is not None:
            archive.claim(stable.lineage, fetch.address.secret)
        if terms.manner.observe:
            stable = replace(stable, metadata=terms.lifting.book(who.client).system(parsed.system).metadata)
        story.stable = stable
        story.kind = self._kind(dict(stable.metadata))
        head = journal.stand(journal.group(stable.group), stable.lineage, stable.standing, stable.head)
        story.stable = replace(stable, head=head)
        passage = self._passage = Passage(story, terms.dialect, self._front, silent=terms.manner.observe)
        guest = self._guest()
        handover = Handover(passage, keeper, pass_on.onward(story.call.headers, (), same_protocol=False))
        if not terms.manner.observe:
            yield from handover.look(guest, who.client)
        choice = self._sit(guest, observing=terms.manner.observe)
        outgoing = self._outgoing(terms)
        if choice.slot is not None:
            yield from passage.take_slot(choice.slot)
            yield from handover.perform(choice, outgoing, self._sent_by, terms.dialect, stable.draft)
            if handover.missed:
                story.head = replace(story.head, missed=handover.missed)
        if parsed.options.diagnose is not None:
            read = terms.dialect.read
            now = Now(stable.options, head, stable.trail, self._front, parsed.leading, rules.known, read=read)
            passage.writer.feed(diagnose(journal, stable, now))
        stable.lineage.count += 1
        story.sent_bytes = len(outgoing.body)
        yield from passage.run(outgoing)

    def _fetch(self, fetch: Fetch) -> Steps:
        """Let stand what stood in another process, when the ledger still has it. Raises Gone."""
        yield fetch
        event: Event | None = None
        while not isinstance(event, Fetched | Tick):
            event = yield Wait(FETCH_SECONDS)
            self.story.now = event.at if event is not None else self.story.now
            if isinstance(event, HungUp):
                raise Gone
        for conversation in event.conversations if isinstance(event, Fetched) else ():
            archive.restore(self._keeper.journal, conversation)

    def _remember(self) -> Parcel | None:
        """What came back, to be known again: of an answer that broke off, what was generated until then.

        Gives back what of it is to be kept in the ledger.
        """
        story, stable = self.story, self.story.stable
        if stable is None or self._passage is None:
            return None
        writer, journal = self._passage.writer, self._keeper.journal
        story.usage = writer.usage.over(story.usage)
        after = stable.keys[-1] if stable.keys else b""
        if story.ending == "done":
            journal.answers.remember(stable.group, writer.answer, after)
        elif story.first_token != UNSET:
            journal.answers.remember_cut(stable.group, writer.answer, after)
        else:  # nothing was generated: the server may not even have read the prompt
            return None
        usage, said = story.usage, writer.answer
        # Of an answer in which nothing could be read nobody can say whether it comes back as it was generated.
        heard = said.text or said.thinking or said.calls
        sent = Sent(
            story.call.id,
            stable.keys,
            stable.head,
            stable.options,
            stable.size,
            usage.prompt_tokens,
            usage.output_tokens,
            said if heard else None,
            stable.trail,
            story.replica,
            self._keeper.era,
            story.call.at,
            "" if stable.name == stable.lineage.id else stable.name,
        )
        self._expect(stable)
        gone = journal.sent(stable.group, stable.lineage, sent)
        return archive.pack(journal, stable.group, stable.lineage, gone)

    def _expect(self, stable: Stable) -> None:
        """The next request of the conversation is expected to begin with the bytes of this one."""
        parsed = self.story.parsed
        assert parsed is not None
        old = self._cut.lead if self._cut is not None and parsed.everything.wires else None
        wires = (*map(digest.wire, parsed.everything[: parsed.leading]), *stable.trail.wires)
        if (lead := lead_of(parsed.body, parsed.everything, wires, old)) is not None:
            self._keeper.leads.learn(lead, old)

    def _kind(self, metadata: dict[str, str]) -> str:
        """main, subagent or side: from the client's own word, else from what it sends."""
        story = self.story
        assert story.stable is not None
        assert story.parsed is not None
        has_tools = bool(story.parsed.tools_raw)
        main = self._keeper.journal.is_main(story.who.session, story.stable.group.shape, has_tools)
        if story.who.agent or story.who.request_class == "subagent" or metadata.get("cc_is_subagent") == "true":
            return "subagent"
        if story.who.request_class == "main":
            return "main"
        if not has_tools:
            return SIDE
        return "main" if main else "subagent"

    def _guest(self) -> Guest:
        """Who wants a seat."""
        story = self.story
        assert story.stable is not None
        stable = story.stable
        before = stable.before.prompt_tokens if stable.before is not None else None
        older = ("fork", (stable.parted,)) if stable.parted else (stable.older.bond, stable.older.after)
        if not stable.lineage.count and story.kind != SIDE and not stable.parted:
            model, head = stable.options.model, stable.head
            self._twins = twins(self._keeper.journal, stable.group, stable.lineage, head, model)
        alike = tuple(Alike(twin.name, twin.tokens, twin.most) for twin in self._twins)
        return Guest(stable.name, story.who.session, story.kind, *older, before or 0, bool(stable.parted), alike)

    def _sit(self, guest: Guest, *, observing: bool) -> Choice:
        story = self.story
        assert story.stable is not None
        returning = story.stable.lineage.count > 0
        choice, story.moved = self._keeper.sit(guest, returning, observing=observing, client=story.who.client)
        self._slot = choice.slot
        story.handed_over = choice.handover == "refill"
        story.anew = choice.anew
        story.head = HeadElsewhere(choice.stands, choice.source, choice.missed, choice.unsure)
        story.seat = Seat(choice.slot, choice.reason)
        return choice

    def _outgoing(self, terms: Terms) -> Outgoing:
        story, dialect = self.story, terms.dialect
        assert story.stable is not None
        draft = story.stable.draft
        metadata = story.stable.metadata
        if terms.manner.observe:
            draft = replace(draft, untouched=True)
            metadata = ()
        headers = pass_on.onward(story.call.headers, metadata, same_protocol=dialect.same_protocol)
        asker = Asker(draft.options.model, story.who.session, story.who.agent, story.stable.lineage.id)
        route, members = self._route(terms, asker, headers)
        outgoing = dialect.request(replace(draft, slot=self._slot, headers=route.headers, members=members))
        if terms.manner.marks and dialect.protocol == "anthropic":
            body, edits = mark(outgoing.body, story.rules, asker.model)
            outgoing = replace(outgoing, body=body)
            story.marked = body
            story.notes += map(story.rules.note, edits)
        if dialect.same_protocol and story.call.query:
            return replace(outgoing, path=f"{outgoing.path}?{story.call.query}")
        return outgoing

    def _route(self, terms: Terms, asker: Asker, headers: Headers) -> tuple[Route, tuple[tuple[str, object], ...]]:
        """The way to the machine that holds the conversation, and the members of the body that are not the client's."""
        story = self.story
        assert story.parsed is not None
        said = (key002.MEMBER,) if story.parsed.cache_key else ()
        route, edits = find_way(terms.manner.ways, story.rules, asker, headers, said)
        members: tuple[tuple[str, object], ...] = route.members
        if story.parsed.loading and story.rules.has("KEY003"):
            model = terms.manner.ways.model or asker.model
            settled, changed = self._keeper.loads.settle(model, story.parsed.loading)
            members = (*members, *((name, msgspec.Raw(text)) for name, text in settled))
            edits = (*edits, *changed)
        story.notes += map(story.rules.note, edits)
        return route, members

    def _sent_by(self, lineage: str) -> Sent:
        """What the conversation sent last that this one takes the place of."""
        stable = self.story.stable
        assert stable is not None
        older = (one.requests[0] for one in stable.older.lineages if one.name == lineage)
        return next(older, None) or next(twin.sent for twin in self._twins if twin.name == lineage)

    def _refuse(self, error: ClientError) -> Reply:
        story = self.story
        kind = error.kind or "bad_request"
        story.fail(kind, str(error))
        story.status, body = self._front.error(error.error_status_hint, kind, str(error), story.call.id)
        return Reply(story.status, pass_on.JSON, body)


def refusal(front: Front, failed: Failed, request_id: str) -> Reply:
    """A whole error answer for something that went wrong before or beside a life."""
    status, body = front.error(failed.status or 502, failed.kind, failed.message, request_id)
    return Reply(status, pass_on.JSON, body)
