"""What of one conversation is in the archive already, and the rows for what is new in it.

A turn may stand in several versions at once, one after the other: on the byte path it is made anew whenever the client
writes it in other bytes, and an older branch of the conversation still has it as it was. Each version is a row by
itself, for as long as a request that is kept refers to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from keepwarm.core.answer import Answer
from keepwarm.core.prompt import Head
from keepwarm.core.secret import Row
from keepwarm.session.echo import Echo, echo_of, generated
from keepwarm.session.lineage import LARGE, HeadState, Standing

NO_HEAD: Final = HeadState(b"", Head(), b"", b"")
_encode = msgspec.msgpack.encode


class TurnRow(msgspec.Struct, frozen=True, tag="turn"):
    """A turn as it went upstream."""

    name: bytes
    turn: Standing
    echo: Echo | None = None
    """The answer that came back in it."""
    old: bool = False
    """Whether another version of it stands."""


class HeadRow(msgspec.Struct, frozen=True, tag="head"):
    """The large parts of a head."""

    name: bytes
    state: HeadState
    shown: tuple[int, ...] | None = None
    """Which of its tools the model reads; None where that is not a choice of these."""


class Version(msgspec.Struct, frozen=True):
    """A turn that was written."""

    turn: Standing
    name: bytes
    echo: Echo | None = None


class Used(msgspec.Struct, frozen=True):
    """What is remembered of a request that was written."""

    number: int
    """Which one of its conversation it is, from 1."""
    turns: list[bytes]
    """The names of the rows that it refers to."""


class Kept:
    """One conversation. `rows` and `gone` gather what the archive is to be told next."""

    __slots__ = ("_heads", "_turns", "_used", "also", "gone", "packed", "rows", "secret", "told")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        """That it is kept under."""
        self.also = b""
        """The latest other one by which it is found, where its first turn was edited; b"" for none."""
        self.told = True
        """Whether the archive knows of that."""
        self.rows: list[Row] = []
        self.gone: set[bytes] = set()
        self.packed: object = None
        """What `archive` knows of the request that was packed last."""
        self._turns: dict[bytes, list[Version]] = {}
        self._heads: dict[bytes, HeadState] = {}
        self._used: dict[str, Used] = {}

    def turn(self, turn: Standing, *, old: bool = False) -> bytes:
        """The name of a turn's row, which is written when it is new."""
        versions = self._turns.setdefault(turn.key, [])
        for known in versions:
            if known.turn is turn:
                return known.name
        echo = None
        for known in versions:
            if known.echo is not None:
                said = generated(known.echo, known.turn)
                echo = echo_of(said, turn, known.echo.after, known.echo.number)
        name = _name_of(_encode(turn))
        self._write(Version(turn, name, echo), old)
        return name

    def echo(self, answer: Answer, turn: Standing, after: bytes, record: str) -> None:
        """The answer to a request that is kept, whose turns have the chain digest `after`, came back in this turn."""
        self.turn(turn)
        version = next(one for one in self._turns[turn.key] if one.turn is turn)
        number = self._used[record].number if record in self._used else 0
        self._write(replace(version, echo=echo_of(answer, turn, after, number)), False)

    def head(self, head: HeadState) -> bytes:
        """The name of the row with the large parts of a head, which is written when it is new."""
        for name, known in self._heads.items():
            if all(getattr(known, part) is getattr(head, part) for part in LARGE):
                return name
        places = {tool: place for place, tool in enumerate(head.head.tools)}
        shown = tuple(places.get(tool, -1) for tool in head.shown)
        state = HeadState(b"", **{part: getattr(head, part) for part in LARGE})
        row = HeadRow(b"", state) if -1 in shown else HeadRow(b"", replace(state, shown=()), shown)
        name = _name_of(_encode(row))
        if name not in self._heads:
            self.rows.append(Row(b"head " + name, _encode(replace(row, name=name))))
        self._heads[name] = head
        return name

    def request(self, record: str, value: bytes, used: Used) -> None:
        """Write a request."""
        self.rows.append(Row(_request_name(record), value))
        self._used[record] = used

    def drop(self, records: Iterable[str]) -> None:
        """Nothing goes on from these requests any more."""
        for record in records:
            self._used.pop(record, None)
            self.gone.add(_request_name(record))

    def tidy(self, standing: dict[bytes, Standing]) -> None:
        """Let the versions of turns go that neither stand nor belong to a request that is kept."""
        for key in [key for key, versions in self._turns.items() if len(versions) > 1]:
            needed = []
            for version in self._turns[key]:
                stands = version.turn is standing.get(key)
                if stands or any(version.name in used.turns for used in self._used.values()):
                    needed.append(version)
                else:
                    self.gone.add(b"turn " + version.name)
            self._turns[key] = needed

    def know(self, turns: Iterable[Version], heads: dict[bytes, HeadState], used: dict[str, Used]) -> None:
        """What the archive has, when it was read from there."""
        for version in turns:
            self._turns.setdefault(version.turn.key, []).append(version)
        self._heads = dict(heads)
        self._used = dict(used)

    def _write(self, version: Version, old: bool) -> None:
        others = [one for one in self._turns[version.turn.key] if one.name != version.name]
        self._turns[version.turn.key] = [*others, version]
        row = Row(b"turn " + version.name, _encode(TurnRow(version.name, version.turn, version.echo, old)))
        self.rows = [*(one for one in self.rows if one.name != row.name), row]
        self.gone.discard(row.name)


def _request_name(record: str) -> bytes:
    """The name of a request's row."""
    return b"request " + record.encode()


def _name_of(value: bytes) -> bytes:
    """16 bytes for a row that is known by what is in it."""
    return blake2b(value, digest_size=16).digest()
