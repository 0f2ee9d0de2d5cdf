"""What stands of a conversation as rows for the ledger, and back: so it stands in the next process too.

New content only: a turn is one row, written when it is new; so are the large parts of a head. Each request adds a small
row with digests and counts in place of the one that it goes on from. What the server generated is in the request's row
until it comes back, and from then on in the row of the turn in which it did, where its words are that turn's own.

    journal --pack--> Parcel --(ledger: sealed, on disk)--> rows --unpack--> Conversation --restore--> journal
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import and_, is_
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.core.answer import Answer
from keepwarm.core.prompt import Notice
from keepwarm.core.secret import Address, Parcel
from keepwarm.session.echo import generated
from keepwarm.session.journal import Journal, Lineage
from keepwarm.session.kept import NO_HEAD, HeadRow, Kept, TurnRow, Used, Version
from keepwarm.session.lineage import LARGE, GroupKey, HeadState, Sent, Standing, Step, Trail, step_after

FIRSTS: Final = 16
"""First turns of a conversation that are kept, the latest: one that ticks with the clock is another each time."""
_WIRE: Final = 16


class Damaged(ValueError):
    """Rows that cannot be read: another keepwarm's, or none at all."""


class _Other(msgspec.Struct, frozen=True):
    """A turn that a request had otherwise than its row says."""

    turn: Standing
    """Without its words, unless it has no row."""
    as_bytes: bool = False
    """Whether what went were the client's bytes."""


class _Steps(msgspec.Struct, frozen=True):
    """A trail, by columns."""

    wires: bytes
    ends: list[int]
    roles: list[str]
    turns: list[bytes]
    """Names of rows; b"" where nothing is said."""
    sizes: list[int]
    otherwise: list[int]
    late: dict[int, tuple[Notice, ...]]
    others: dict[int, _Other]
    points: list[int]
    """`Lineage.points`; -1 where there is none."""


class _Packed(msgspec.Struct, frozen=True):
    """The trail that was packed last: the next one repeats most of it."""

    steps: Sequence[Step] = ()
    stands: Sequence[Standing | None] = ()
    """What stood at each step."""
    columns: _Steps = _Steps(b"", [], [], [], [], [], {}, {}, [])

    def repeated(self, steps: Sequence[Step], stands: Sequence[Standing | None]) -> int:
        """How many leading steps are these very ones, with the same turns standing."""
        others = map(and_, map(is_, self.steps, steps), map(is_, self.stands, stands))
        return next((at for at, same in enumerate(others) if not same), min(len(self.steps), len(steps)))


class _Request(msgspec.Struct, frozen=True, tag="request"):
    conversation: str
    group: GroupKey
    firsts: tuple[bytes, ...]
    count: int
    main: bool
    head: bytes
    """The name of the row with its large parts."""
    sent: Sent
    """Without its keys, the large parts of its head, and its trail."""
    steps: _Steps


_Value: TypeAlias = TurnRow | HeadRow | _Request
_DECODER: Final = msgspec.msgpack.Decoder(_Value)


class Conversation(msgspec.Struct, frozen=True):
    """What was kept of one conversation."""

    group: GroupKey
    id: str
    firsts: tuple[bytes, ...]
    count: int
    main: bool
    turns: tuple[Version, ...]
    """In the order in which they came to stand."""
    standing: dict[bytes, Standing]
    requests: tuple[Sent, ...]
    """The latest last."""
    answers: tuple[tuple[Answer, bytes], ...]
    """What was generated, the oldest first, each with the chain digest of the turns that it answers."""
    points: dict[bytes, int]
    heads: dict[bytes, HeadState]
    used: dict[str, Used]
    secret: bytes
    stale: tuple[str, ...] = ()
    """Requests that are not whole."""


def claim(lineage: Lineage, secret: bytes) -> None:
    """From now on a conversation is kept under the secret of its first turn; one that is kept already is found by this
    one too."""
    if lineage.kept is None:
        lineage.kept = Kept(secret)
    elif secret not in (lineage.kept.secret, lineage.kept.also):
        lineage.kept.also = secret
        lineage.kept.told = False


def pack(journal: Journal, key: GroupKey, lineage: Lineage, gone: Sequence[Sent]) -> Parcel | None:
    """What is new of a conversation since it was packed last, its latest request being a new one; None when it is not
    to be kept.

    gone  requests that `Journal.sent` has let go
    """
    kept, sent = lineage.kept, lineage.requests[0]
    if kept is None:
        return None
    steps = _columns(lineage, kept, sent)
    _take_echoes(lineage, kept, sent, gone)
    head = kept.head(sent.head)
    main = journal.is_main(key.session, key.shape, False)
    firsts = tuple(lineage.firsts[-FIRSTS:])
    bare = replace(sent, keys=(), head=_with_parts(sent.head, NO_HEAD), trail=Trail())
    request = _Request(lineage.id, key, firsts, lineage.count, main, head, bare, steps)
    kept.request(sent.record, msgspec.msgpack.encode(request), Used(lineage.count, steps.turns))
    kept.drop(old.record for old in gone)
    kept.tidy(lineage.standing)
    also, kept.told = b"" if kept.told else kept.also, True
    address = Address(kept.secret, key.packed())
    parcel = Parcel(address, lineage.id, tuple(kept.rows), tuple(kept.gone), also)
    kept.rows, kept.gone = [], set()
    return parcel


def unpack(values: Iterable[bytes], secret: bytes) -> Conversation | None:
    """The conversation of which these are the rows, in the order in which they were written; None when none of its
    requests is whole. Raises Damaged."""
    turns: dict[bytes, Version] = {}
    standing: dict[bytes, Standing] = {}
    heads: dict[bytes, HeadState] = {}
    requests: list[_Request] = []
    try:
        for value in values:
            match _DECODER.decode(value):
                case TurnRow(name, turn, echo, old):
                    turns[name] = Version(turn, name, echo)
                    if not old:
                        standing.pop(turn.key, None)
                        standing[turn.key] = turn
                case HeadRow(name, state, shown):
                    heads[name] = _shown(state, shown)
                case _Request() as row:
                    requests.append(row)
        # A row that could not be written is missing: then so is what refers to it.
        whole = [
            row for row in requests if row.head in heads and all(name in turns for name in row.steps.turns if name)
        ]
        if not whole:
            return None
        sent = tuple(_sent(row, heads[row.head], turns) for row in whole)
        answers = sorted(_answers(whole, sent, turns.values()), key=lambda row: row[0])
    except (msgspec.MsgspecError, ValueError, LookupError) as error:
        raise Damaged(str(error)) from error
    latest = whole[-1]
    return Conversation(
        latest.group,
        latest.conversation,
        latest.firsts,
        latest.count,
        latest.main,
        tuple(turns.values()),
        standing,
        sent,
        tuple((answer, after) for _, answer, after in answers),
        _points(whole, turns),
        heads,
        {row.sent.record: Used(row.count, row.steps.turns) for row in whole},
        secret,
        tuple(row.sent.record for row in requests if row not in whole),
    )


def restore(journal: Journal, conversation: Conversation) -> bool:
    """Let it stand again; False when it has come up in this journal meanwhile."""
    key, group = conversation.group, journal.group(conversation.group)
    lineage = Lineage(conversation.id)
    lineage.firsts = list(conversation.firsts)
    if not journal.adopt(group, lineage, main=conversation.main):
        return False
    kept = lineage.kept = Kept(conversation.secret)
    kept.know(conversation.turns, conversation.heads, conversation.used)
    kept.drop(conversation.stale)
    journal.stand(group, lineage, tuple(conversation.standing.values()), conversation.requests[-1].head)
    for answer, after in conversation.answers:
        keep = journal.answers.remember if answer.reason else journal.answers.remember_cut
        keep(key, answer, after)
    for sent in conversation.requests:
        kept.drop(old.record for old in journal.sent(key, lineage, sent))
    lineage.points = dict(conversation.points)
    lineage.count = conversation.count
    return True


def _answers(
    rows: Iterable[_Request], requests: Iterable[Sent], turns: Iterable[Version]
) -> Iterator[tuple[int, Answer, bytes]]:
    """(number of the request, what was generated, the chain digest of the turns that it answers) of each answer."""
    for version in turns:
        if (echo := version.echo) is not None:
            yield echo.number, generated(echo, version.turn), echo.after
    for row, sent in zip(rows, requests, strict=True):
        if sent.answer is not None and sent.keys:
            yield row.count, sent.answer, sent.keys[-1]


def _shown(state: HeadState, places: tuple[int, ...] | None) -> HeadState:
    if places is None:
        return state
    tools = state.head.tools
    return replace(
        state, shown=tools if places == tuple(range(len(tools))) else tuple(tools[place] for place in places)
    )


def _with_parts(head: HeadState, other: HeadState) -> HeadState:
    """`head` with the large parts of another."""
    return replace(head, **{part: getattr(other, part) for part in LARGE})


def _take_echoes(lineage: Lineage, kept: Kept, sent: Sent, gone: Sequence[Sent]) -> None:
    """Answers that came back with this request go into the turns in which they did."""
    for old in gone:
        said = len(old.keys)
        if old.answer is None or not 0 < said < len(sent.keys) or sent.keys[:said] != old.keys:
            continue
        turn = lineage.standing.get(sent.keys[said])
        if turn is not None and sent.trail.steps[sent.trail.at(said + 1)].role == "assistant":
            kept.echo(old.answer, turn, old.keys[-1], old.record)


def _columns(lineage: Lineage, kept: Kept, sent: Sent) -> _Steps:
    steps = sent.trail.steps
    stands = [lineage.standing.get(step.turn.key) for step in steps]
    known = kept.packed if isinstance(kept.packed, _Packed) else _Packed()
    same = known.repeated(steps, stands)
    last = steps[same - 1] if same else None
    passed, told = (last.size, len(last.late)) if last is not None else (0, 0)
    sizes, turns = known.columns.sizes[:same], known.columns.turns[:same]
    late = {at: notices for at, notices in known.columns.late.items() if at < same}
    others = {at: other for at, other in known.columns.others.items() if at < same}
    for at in range(same, len(steps)):
        step = steps[at]
        turn, standing = step.turn, stands[at]
        sizes.append(step.size - passed)
        if len(step.late) > told:
            late[at] = step.late[told:]
        passed, told = step.size, len(step.late)
        if standing is turn:
            turns.append(kept.turn(turn))
        elif not turn.key:
            others[at] = _Other(turn)
            turns.append(b"")
        elif standing is not None and (other := _otherwise(turn, standing)) is not None:
            others[at] = other
            turns.append(kept.turn(standing))
        else:
            turns.append(kept.turn(turn, old=True))
    columns = _Steps(
        b"".join(sent.trail.wires),
        [step.end for step in steps],
        [step.role for step in steps],
        turns,
        sizes,
        [at for at, step in enumerate(steps) if step.otherwise],
        late,
        others,
        [lineage.points.get(step.turn.key, -1) for step in steps],
    )
    kept.packed = _Packed(steps, stands, columns)
    return columns


def _otherwise(turn: Standing, stands: Standing) -> _Other | None:
    """How a turn is told from one that stands; None when that takes its words."""
    bare = replace(turn, chunk=b"", raw=b"", marks=())
    for as_bytes in (False, True):
        other = _Other(bare, as_bytes)
        if _turn(other, stands) == turn:
            return other
    return None


def _turn(other: _Other, stands: Standing) -> Standing:
    chunk = stands.chunk or stands.raw if other.as_bytes else stands.chunk
    return replace(other.turn, chunk=chunk, raw=stands.raw, marks=stands.marks)


def _points(requests: Iterable[_Request], turns: Mapping[bytes, Version]) -> dict[bytes, int]:
    pairs = ((name, at) for row in requests for name, at in zip(row.steps.turns, row.steps.points, strict=True))
    return {turns[name].turn.key: at for name, at in pairs if name and at >= 0}


def _sent(row: _Request, large: HeadState, turns: Mapping[bytes, Version]) -> Sent:
    columns = row.steps
    steps: list[Step] = []
    told = frozenset(columns.otherwise)
    for at, name in enumerate(columns.turns):
        other = columns.others.get(at)
        if not name:
            turn = columns.others[at].turn
        else:
            turn = turns[name].turn if other is None else _turn(other, turns[name].turn)
        late = columns.late.get(at, ()) if at in told else None
        last = steps[-1] if steps else None
        steps.append(step_after(last, turn, columns.ends[at], columns.roles[at], columns.sizes[at], late))
    wires = tuple(columns.wires[at : at + _WIRE] for at in range(0, len(columns.wires), _WIRE))
    return replace(
        row.sent,
        keys=tuple(step.turn.key for step in steps if step.turn.key),
        head=_with_parts(row.sent.head, large),
        trail=Trail(wires, tuple(steps)),
    )
