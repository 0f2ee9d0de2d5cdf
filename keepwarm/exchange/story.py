"""What is noted of a request while it lives, and the record that is made of it in the end."""

from __future__ import annotations

from msgspec.structs import replace

from keepwarm.core import digest
from keepwarm.core.diff import Difference
from keepwarm.core.events import Progress, Usage
from keepwarm.core.prompt import EditNote
from keepwarm.exchange import dropping
from keepwarm.exchange import headers as pass_on
from keepwarm.exchange.exact import Case, Question, question
from keepwarm.exchange.keeper import Call, Keeper
from keepwarm.exchange.marking import faults
from keepwarm.exchange.stabilise import Stable
from keepwarm.ledger.records import Ending, Record, Recording, Seat, Verdict
from keepwarm.ledger.server_side import Server
from keepwarm.ledger.verdict import NOWHERE, Predecessor, Scene, Suspect, judge
from keepwarm.rules.engine import RuleBook
from keepwarm.session.lineage import Sent
from keepwarm.upstream import switches
from keepwarm.wire.api import ClientFacts, Parsed

UNSET = -1.0


class Story:
    """The notes of one request."""

    def __init__(self, call: Call, front: str, upstream: str) -> None:
        self.call = call
        self.front = front
        self.upstream = upstream
        self.parsed: Parsed | None = None
        self.who = ClientFacts()
        self.rules = RuleBook()
        self.kind = ""
        self.stable: Stable | None = None
        self.seat: Seat | None = None
        self.moved = ""
        self.handed_over = False
        """Whether the slot came back from another conversation, in order."""
        self.anew = ""
        """Why a conversation that goes on begins anew for the server; see `affinity.Choice`."""
        self.head = NOWHERE
        """Of a new conversation: where its head stands besides."""
        self.lost = False
        """The server could not be reached, or the connection broke."""
        self.replica = ""
        """The machine that answered, where its headers name one."""
        self.marked: bytes | None = None
        """What was sent to a server that keeps only what is marked."""
        self.notes: list[EditNote] = []
        """What was changed besides the words."""
        self.slotted = False
        """Whether the server is one whose conversations take each other's slots."""
        self.status = 0
        self.ending: Ending = "done"
        self.error = ""
        self.usage = Usage()
        self.progress: Progress | None = None
        """The server's latest word on its prefill."""
        self.sent_bytes = 0
        self.answered_bytes = 0
        self.overhead = UNSET
        self.first_byte = UNSET
        self.first_token = UNSET
        self.now = 0.0
        """Milliseconds of the latest event."""
        self.case: Case | None = None
        """What the verdict was made of."""

    @property
    def model(self) -> str:
        """That is asked for."""
        return self.parsed.options.model if self.parsed else ""

    def fail(self, kind: str, message: str) -> None:
        """Note that the request failed."""
        self.ending = "failed"
        self.error = f"{kind}: {message}"[:500] if kind else message[:500]

    def record(self, keeper: Keeper) -> tuple[Record, Recording | None]:
        """The record, with the texts when they are asked for."""
        stable, parsed = self.stable, self.parsed
        edited = stable is not None and not keeper.terms(self.front).manner.observe
        record = Record(
            id=self.call.id,
            at=self.call.at,
            front=self.front,
            client=self.who.client,
            session=self.who.session,
            agent=self.who.agent,
            kind=self.kind,
            lineage=stable.name if stable else "",
            parent=stable.before.record if stable and stable.before and not stable.sibling else "",
            turn=stable.lineage.count if stable else 0,
            upstream=self.upstream,
            model=self.model,
            stream=parsed.options.stream if parsed else False,
            status=self.status,
            ending=self.ending,
            error=self.error,
            edits=(*stable.notes, *self.notes) if stable and edited else (),
            metadata=stable.metadata if stable else (),
            usage=self.usage,
            verdict=self._verdict(keeper),
            seat=self.seat if self.seat is None else replace(self.seat, replica=self.replica),
            received_bytes=len(self.call.body),
            sent_bytes=self.sent_bytes,
            answered_bytes=self.answered_bytes,
            overhead_ms=_known(self.overhead),
            first_byte_ms=_known(self.first_byte),
            first_token_ms=_known(self.first_token),
            total_ms=self.now,
        )
        return record, self._recording() if keeper.manner.record else None

    def _verdict(self, keeper: Keeper) -> Verdict | None:
        stable = self.stable
        if stable is None or self.ending == "failed":
            return None
        suspects = self._suspects(stable, keeper)
        case = self.case = Case(self.usage, self._before(stable, suspects), suspects, self._scene(stable, keeper))
        return judge(case.usage, case.before, case.suspects, case.scene)

    def _suspects(self, stable: Stable, keeper: Keeper) -> tuple[Suspect, ...]:
        """Where the request differs from the one before, and where the server's template makes it differ."""
        rows = stable.differences
        found = [Suspect(one, self.rules.causes(one)) for one in rows]
        dropped = self._dropped(stable, keeper)
        if dropped is not None:
            behind = (at for at, one in enumerate(rows) if one.where == "turn" and one.share > dropped.share)
            found.insert(next(behind, len(found)), Suspect(dropped, (dropping.CODE,)))
        return tuple(found)

    def _dropped(self, stable: Stable, keeper: Keeper) -> Difference | None:
        """Reasoning that the server's chat template drops, where it is not told to keep it."""
        drops = keeper.terms(self.front).dialect.drops_thinking and not stable.draft.keeps
        if not drops or stable.before is None or stable.sibling or self.usage.cached_tokens is None:
            return None
        if not switches.edits(self.call.body):  # the client tells it
            return None
        return dropping.find_dropped(stable.before, stable.trail, stable.draft.leading)

    def _scene(self, stable: Stable, keeper: Keeper) -> Scene:
        """What is known of the server besides its counts, and of the markers that it was sent."""
        marks: tuple[str, ...] = ()
        if self.marked is not None and stable.before is not None:
            changed = (difference.path for difference in stable.differences)
            marks = faults(self.call.body, self.marked, self.rules, stable.options.model, changed)
        seated = self.seat is not None and self.seat.slot is not None
        slotted = self.slotted or seated
        return Scene(
            self.moved,
            self._other_replica(stable),
            inline=stable.inline,
            slotted=slotted,
            server=self._server(stable, keeper),
            seated=seated,
            block=1 if slotted or keeper.kind == "llamacpp" else keeper.block(self.usage.cached_tokens or 0),
            marks=marks,
            pace=self._pace(keeper),
            plain=keeper.manner.record,
            hung_up=self.ending == "hung_up",
            anew=self.anew,
            handed_over=self.handed_over,
            head=self.head,
        )

    def _server(self, stable: Stable, keeper: Keeper) -> Server:
        before = None if stable.sibling else stable.before
        era = keeper.era if before is None else before.era
        return keeper.server(self.usage.cached_tokens, returning=before is not None, era=era)

    def _other_replica(self, stable: Stable) -> str:
        """How another machine answered than the request before; "" when the same did, or nothing tells."""
        before = stable.before.replica if stable.before is not None else ""
        return f"{self.replica} after {before}" if self.replica and before not in ("", self.replica) else ""

    def question(self, keeper: Keeper, record: Record) -> Question | None:
        """What the server may be asked to make the verdict exact; None where that would say no more."""
        if self.case is None or self.stable is None or self.stable.before is None:
            return None
        terms = keeper.terms(self.front)
        headers = pass_on.onward(self.call.headers, (), same_protocol=False)
        draft = replace(self.stable.draft, headers=headers, untouched=terms.manner.observe)
        slot = self.seat.slot if self.seat is not None else None
        tally = keeper.tally(self.model, slot, self.stable.before.at)
        return question(record, self.case, terms.dialect, draft, self.stable.before, tally)

    def _pace(self, keeper: Keeper) -> float | None:
        """Milliseconds that a token of a prompt takes, where the server does not say it of this one: from the time to
        the first token, when that many were processed that it tells, else as it was lately."""
        processed, waited = self.usage.processed_tokens, _known(self.first_token)
        if self.usage.prompt_ms is None and processed is not None and waited is not None:
            return keeper.pace.learn(processed, waited - max(0.0, self.overhead))
        if self.usage.prompt_ms is not None and processed is not None:
            keeper.pace.learn(processed, self.usage.prompt_ms)
        return keeper.pace.usual

    def _before(self, stable: Stable, suspects: tuple[Suspect, ...]) -> Predecessor | None:
        """The request that this one goes on from, or whose head it could share."""
        sent = stable.before
        if sent is None:
            return None
        if stable.sibling:
            if self.seat is not None and self.seat.slot is not None:  # slots share nothing
                return None
            part = min(1.0, sent.head.size / sent.size) if sent.size else 0.0
            tokens = None if sent.prompt_tokens is None else round(sent.prompt_tokens * part)
            return Predecessor(tokens, 0, 1.0, False, sibling=True)
        whole = not stable.differences and stable.shared == len(sent.keys)
        share = 1.0 if whole else min(1.0, stable.kept / sent.size) if sent.size else 0.0
        replayed = whole and sent.answer is not None and len(stable.keys) > len(sent.keys)
        points = sent.points(stable.lineage.points) if suspects else ()
        held = stable.branch.prompt_tokens if stable.branch is not None else None
        output = sent.output_tokens
        if output is None and suspects:
            output = _generated(sent)
        return Predecessor(sent.prompt_tokens, output, share, replayed, points=points, held=held)

    def _recording(self) -> Recording | None:
        if self.stable is None or self.parsed is None:
            return None
        draft = self.stable.draft
        received = (*(block.raw or block.text.encode() for block in self.parsed.system), *self.parsed.tools_raw)
        sent = filter(None, (draft.system, draft.tools, *draft.chunks))
        return Recording(
            self.call.id,
            tuple((digest.wire(text), bytes(text)) for text in (*received, *self.parsed.messages_raw)),
            tuple((digest.wire(text), text) for text in sent),
        )


def _generated(sent: Sent) -> int | None:
    """About how many tokens an answer has that broke off before the server had counted it: its bytes, at the rate of
    its prompt's; rather too few, for those hold more than words."""
    answer = sent.answer
    if answer is None or not sent.size or sent.prompt_tokens is None:
        return None
    said = len(answer.text) + len(answer.thinking) + sum(len(call.arguments) for call in answer.calls)
    return round(said * sent.prompt_tokens / sent.size)


def _known(value: float) -> float | None:
    return None if value == UNSET else value


def unserved(call: Call, front: str, upstream: str) -> Record:
    """The record of a request for which no model server could be reached: there is no more to tell of it."""
    return Record(
        id=call.id,
        at=call.at,
        front=front,
        client="",
        session="",
        agent="",
        kind="",
        lineage="",
        parent="",
        turn=0,
        upstream=upstream,
        model="",
        stream=False,
        status=502,
        ending="failed",
        error="unreachable: no model server answers",
        received_bytes=len(call.body),
    )
