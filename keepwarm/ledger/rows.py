"""A Record as a row of the table `requests`, and back: what goes in comes out equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Place, Record, Seat, Verdict

_OWN = (
    "id", "at", "front", "client", "session", "agent", "kind", "lineage", "parent", "turn", "upstream", "model",
    "stream", "status", "ending", "error", "received_bytes", "sent_bytes", "answered_bytes",
    "overhead_ms", "first_byte_ms", "first_token_ms", "total_ms",
)  # fmt: skip
"""Fields of Record that are a column of the same name."""
_USAGE = Usage.__struct_fields__
_VERDICT = ("outcome", "blame", "grade", "expected", "actual", "lost", "sentence", "had", "lost_ms", "shared")
"""Fields of Verdict that are a column of the same name."""

VERDICT_COLUMNS = (*_VERDICT, "cause", "causes", "place", "places")
"""The columns that hold the verdict, in the order of `verdict_row`."""
COLUMNS = (*_OWN, *_USAGE, *VERDICT_COLUMNS, "seat_reason", "slot", "replica", "edits", "metadata")
"""The columns of a row, in the order of `row_of` and `record_of`."""


def row_of(record: Record) -> tuple[object, ...]:
    """The row of a record. Text that no UTF-8 file can hold (a lone surrogate) is replaced by question marks."""
    try:
        return _row(record)
    except UnicodeEncodeError:
        return _row(msgspec.convert(_writable(msgspec.to_builtins(record)), Record))


def verdict_row(verdict: Verdict) -> tuple[object, ...]:
    """The values of VERDICT_COLUMNS for a verdict; text that no UTF-8 file can hold as in `row_of`."""
    try:
        return _encodable(_judged(verdict))
    except UnicodeEncodeError:
        return tuple(_judged(msgspec.convert(_writable(msgspec.to_builtins(verdict)), Verdict)))


def record_of(row: Sequence[Any]) -> Record:
    """The record of a row whose columns are COLUMNS."""
    held = dict(zip(COLUMNS, row, strict=True))
    verdict = seat = None
    if held["outcome"] is not None:
        verdict = Verdict(
            **{name: held[name] for name in _VERDICT},
            causes=msgspec.json.decode(held["causes"], type=tuple[str, ...]),
            place=None if held["place"] is None else msgspec.json.decode(held["place"], type=Place),
            places=() if held["places"] is None else msgspec.json.decode(held["places"], type=tuple[Place, ...]),
        )
    if held["seat_reason"] is not None:
        seat = Seat(slot=held["slot"], reason=held["seat_reason"], replica=held["replica"])
    own = {name: held[name] for name in _OWN} | {"stream": bool(held["stream"])}
    return Record(
        **own,
        edits=msgspec.json.decode(held["edits"], type=tuple[EditNote, ...]),
        metadata=msgspec.json.decode(held["metadata"], type=tuple[tuple[str, str], ...]),
        usage=Usage(**{name: held[name] for name in _USAGE}),
        verdict=verdict,
        seat=seat,
    )


def _row(record: Record) -> tuple[object, ...]:
    verdict, seat = record.verdict, record.seat
    row = [getattr(record, name) for name in _OWN]
    row += [getattr(record.usage, name) for name in _USAGE]
    row += _judged(verdict)
    row += [
        seat.reason if seat else None,
        seat.slot if seat else None,
        seat.replica if seat else None,
        _json(record.edits),
        _json(record.metadata),
    ]
    return _encodable(row)


def _judged(verdict: Verdict | None) -> list[object]:
    return [
        *(getattr(verdict, name, None) for name in _VERDICT),
        verdict.causes[0] if verdict and verdict.causes else None,
        _json(verdict.causes) if verdict else None,
        _json(verdict.place) if verdict and verdict.place else None,
        _json(verdict.places) if verdict else None,
    ]


def _encodable(row: list[object]) -> tuple[object, ...]:
    for value in row:
        if isinstance(value, str) and not value.isascii():
            value.encode()  # SQLite would refuse it later, in the middle of a batch
    return tuple(row)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _writable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {name: _writable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_writable(inner) for inner in value)
    return value
