"""What stands of a conversation as rows for the ledger, and back: so it stands in the next process too.

New content only: a turn is one row, written when it is new; so are the large parts of a head. Each request adds a small
row with digests and counts in place of the one that it goes on from. What the server generated is in the request's row
until it comes back, and from then on in the row of the turn in which it did, where its words are that turn's own.

    journal --pack--> Parcel --(ledger: sealed, on disk)--> rows --unpack--> Conversation --restore--> journal
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from keepwarm.core.answer import Answer
from keepwarm.core.prompt import Head, Notice, Tool
from keepwarm.core.secret import Address, Parcel, Row
from keepwarm.session.echo import Echo, echo_of, generated
from keepwarm.session.journal import LARGE, Journal, Kept, Lineage
from keepwarm.session.lineage import GroupKey, HeadState, Sent, Standing, Step, Trail, step_after

FIRSTS: Final = 16
"""First turns of a conversation that are kept, the latest: one that ticks with the clock is another each time."""
_WIRE: Final = 16
_NO_HEAD: Final = HeadState(b"", Head(), b"", b"")


class Damaged(ValueError):
    """Rows that cannot be read: another keepwarm's, or none at all."""


class _Turn(msgspec.Struct, frozen=True, tag="turn"):
    turn: Standing
    echo: Echo | None = None
    """The answer that came back in it."""


class _Head(msgspec.Struct, frozen=True, tag="head"):
    """The large parts of a head."""

    state: HeadState
    shown: tuple[int, ...] | None = None
    """Which of its tools the model reads; None where that is not a choice of these."""


class _Other(msgspec.Struct, frozen=True):
    """A turn that a request had otherwise than it stands."""

    turn: Standing
    """Without its words, unless `whole`."""
    whole: bool = False
    as_bytes: bool = False
    """Whether what went were the client's bytes of the turn that stands."""


class _Steps(msgspec.Struct, frozen=True):
    """A trail, by columns."""

    wires: bytes
    ends: list[int]
    roles: list[str]
    keys: list[bytes]
    sizes: list[int]
    otherwise: list[int]
    late: dict[int, tuple[Notice, ...]]
    others: dict[int, _Other]
    points: list[int]
    """`Lineage.points`; -1 where there is none."""


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


_Value: TypeAlias = _Turn | _Head | _Request
_DECODER: Final = msgspec.msgpack.Decoder(_Value)
_encode = msgspec.msgpack.encode


class Conversation(msgspec.Struct, frozen=True):
    """What was kept of one conversation."""

    group: GroupKey
    id: str
    firsts: tuple[bytes, ...]
    count: int
    main: bool
    turns: tuple[Standing, ...]
    """In the order in which they came to stand."""
    requests: tuple[Sent, ...]
    """The latest last."""
    points: dict[bytes, int]
    echoes: tuple[tuple[Answer, Echo], ...]
    heads: dict[bytes, HeadState]
    secret: bytes
    stale: frozenset[bytes] = frozenset()
    """Names of rows that are of no use."""


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
    if lineage.kept is None:
        return None
    kept, sent = lineage.kept, lineage.requests[0]
    also, kept.told = b"" if kept.told else kept.also, True
    echoes = _echoes(sent, gone)
    rows: list[Row] = []
    for said in sent.keys:
        turn, echo = lineage.standing.get(said), echoes.get(said)
        if turn is not None and (echo is not None or kept.turns.get(said) is not turn):
            kept.turns[said] = turn
            rows.append(Row(b"turn " + said, _encode(_Turn(turn, echo))))
    head = _keep_head(kept, sent.head, rows)
    main = journal.is_main(key.session, key.shape, False)
    firsts = tuple(lineage.firsts[-FIRSTS:])
    bare = replace(sent, keys=(), head=_bare(sent.head), trail=Trail())
    request = _Request(lineage.id, key, firsts, lineage.count, main, head, bare, _columns(lineage, sent))
    rows.append(Row(_name(sent.record), _encode(request)))
    stale, kept.stale = kept.stale | {_name(old.record) for old in gone}, set()
    return Parcel(Address(kept.secret, key.packed()), lineage.id, tuple(rows), tuple(stale), also)


def unpack(values: Iterable[bytes], secret: bytes) -> Conversation | None:
    """The conversation of which these are the rows, in the order in which they were written; None when none of its
    requests is whole. Raises Damaged."""
    turns: dict[bytes, _Turn] = {}
    heads: dict[bytes, _Head] = {}
    requests: list[_Request] = []
    try:
        for value in values:
            match _DECODER.decode(value):
                case _Turn() as row:
                    turns[row.turn.key] = row
                case _Head() as row:
                    heads[_digest(value)] = row
                case _Request() as row:
                    requests.append(row)
        standing = {key: row.turn for key, row in turns.items()}
        states = {name: _shown(row) for name, row in heads.items()}
        # A row that could not be written is missing: then so is what refers to it.
        whole = [row for row in requests if row.head in states and _has_all(row.steps, standing)]
        if not whole:
            return None
        sent = tuple(_sent(row, states[row.head], standing) for row in whole)
        echoes = tuple((generated(row.echo, row.turn), row.echo) for row in turns.values() if row.echo is not None)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise Damaged(str(error)) from error
    latest = whole[-1]
    points = {key: at for row in whole for key, at in zip(row.steps.keys, row.steps.points, strict=True) if at >= 0}
    return Conversation(
        latest.group,
        latest.conversation,
        latest.firsts,
        latest.count,
        latest.main,
        tuple(standing.values()),
        sent,
        points,
        echoes,
        states,
        secret,
        frozenset(_name(row.sent.record) for row in requests) - {_name(one.record) for one in sent},
    )


def restore(journal: Journal, conversation: Conversation) -> bool:
    """Let it stand again; False when it has come up in this journal meanwhile."""
    group = journal.group(conversation.group)
    lineage = Lineage(conversation.id)
    lineage.firsts = list(conversation.firsts)
    if not journal.adopt(group, lineage, main=conversation.main):
        return False
    journal.stand(group, lineage, conversation.turns, conversation.requests[-1].head)
    for answer, echo in conversation.echoes:
        _remember(journal, conversation.group, answer, echo.after)
    stale = set(conversation.stale)
    for sent in conversation.requests:
        if sent.answer is not None:
            _remember(journal, conversation.group, sent.answer, sent.keys[-1] if sent.keys else b"")
        stale |= {_name(old.record) for old in journal.sent(conversation.group, lineage, sent)}
    lineage.points = dict(conversation.points)
    lineage.count = conversation.count
    kept = lineage.kept = Kept(conversation.secret)
    kept.turns = dict(lineage.standing)
    kept.heads = dict(conversation.heads)
    kept.stale = stale
    return True


def _remember(journal: Journal, group: GroupKey, answer: Answer, after: bytes) -> None:
    keep = journal.answers.remember if answer.reason else journal.answers.remember_cut
    keep(group, answer, after)


def _name(record: str) -> bytes:
    return b"request " + record.encode()


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()


# Heads


def _keep_head(kept: Kept, head: HeadState, rows: list[Row]) -> bytes:
    """The name of the row with the large parts of a head; it goes into `rows` when it is new."""
    for name, known in kept.heads.items():
        if all(getattr(known, part) is getattr(head, part) for part in LARGE):
            return name
    places = {tool: place for place, tool in enumerate(head.head.tools)}
    shown = tuple(places.get(tool, -1) for tool in head.shown)
    state = HeadState(b"", **{part: getattr(head, part) for part in LARGE})
    row = _Head(state) if -1 in shown else _Head(replace(state, shown=()), shown)
    value = _encode(row)
    name = _digest(value)
    if name not in kept.heads:
        rows.append(Row(b"head " + name, value))
    kept.heads[name] = head
    return name


def _shown(row: _Head) -> HeadState:
    if row.shown is None:
        return row.state
    tools = row.state.head.tools
    return replace(row.state, shown=_tools(tools, row.shown))


def _tools(tools: tuple[Tool, ...], places: tuple[int, ...]) -> tuple[Tool, ...]:
    return tools if places == tuple(range(len(tools))) else tuple(tools[place] for place in places)


def _bare(head: HeadState) -> HeadState:
    return replace(head, **{part: getattr(_NO_HEAD, part) for part in LARGE})


# Requests


def _echoes(sent: Sent, gone: Sequence[Sent]) -> dict[bytes, Echo]:
    """The answers that came back with this request, by the turns in which they did."""
    found: dict[bytes, Echo] = {}
    for old in gone:
        said = len(old.keys)
        if old.answer is None or not 0 < said < len(sent.keys) or sent.keys[:said] != old.keys:
            continue
        step = sent.trail.steps[sent.trail.at(said + 1)]
        if step.role == "assistant":
            found[sent.keys[said]] = echo_of(old.answer, step.turn, old.keys[-1])
    return found


def _columns(lineage: Lineage, sent: Sent) -> _Steps:
    steps = sent.trail.steps
    passed, told = 0, 0
    sizes: list[int] = []
    late: dict[int, tuple[Notice, ...]] = {}
    others: dict[int, _Other] = {}
    for at, step in enumerate(steps):
        sizes.append(step.size - passed)
        if len(step.late) > told:
            late[at] = step.late[told:]
        passed, told = step.size, len(step.late)
        if lineage.standing.get(step.turn.key) is not step.turn:
            others[at] = _other(step.turn, lineage.standing.get(step.turn.key))
    keys = [step.turn.key for step in steps]
    return _Steps(
        b"".join(sent.trail.wires),
        [step.end for step in steps],
        [step.role for step in steps],
        keys,
        sizes,
        [at for at, step in enumerate(steps) if step.otherwise],
        late,
        others,
        [lineage.points.get(key, -1) for key in keys],
    )


def _other(turn: Standing, stands: Standing | None) -> _Other:
    bare = replace(turn, chunk=b"", raw=b"", marks=())
    if stands is not None:
        for as_bytes in (False, True):
            other = _Other(bare, as_bytes=as_bytes)
            if _turn(other, stands) == turn:
                return other
    return _Other(turn, whole=True)


def _turn(other: _Other, stands: Standing) -> Standing:
    chunk = stands.chunk or stands.raw if other.as_bytes else stands.chunk
    return replace(other.turn, chunk=chunk, raw=stands.raw, marks=stands.marks)


def _has_all(steps: _Steps, standing: dict[bytes, Standing]) -> bool:
    other = {at for at, one in steps.others.items() if one.whole}
    return all(key in standing or at in other for at, key in enumerate(steps.keys))


def _sent(row: _Request, large: HeadState, standing: dict[bytes, Standing]) -> Sent:
    parts = {part: getattr(large, part) for part in LARGE}
    columns = row.steps
    steps: list[Step] = []
    told = frozenset(columns.otherwise)
    for at, key in enumerate(columns.keys):
        other = columns.others.get(at)
        turn = standing[key] if other is None else other.turn if other.whole else _turn(other, standing[key])
        late = columns.late.get(at, ()) if at in told else None
        last = steps[-1] if steps else None
        steps.append(step_after(last, turn, columns.ends[at], columns.roles[at], columns.sizes[at], late))
    wires = tuple(columns.wires[at : at + _WIRE] for at in range(0, len(columns.wires), _WIRE))
    return replace(
        row.sent,
        keys=tuple(key for key in columns.keys if key),
        head=replace(row.sent.head, **parts),
        trail=Trail(wires, tuple(steps)),
    )
