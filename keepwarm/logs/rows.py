"""A log file as rows: the lines of JSON Lines, or the elements of one JSON document."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keepwarm.codec.json_text import UNREADABLE
from keepwarm.errors import LogError

HEAD: Final = 4096
"""Bytes of a file that tell what it is."""
BOM: Final = b"\xef\xbb\xbf"
_DOCUMENT: Final = re.compile(rb'\s*(?:\[|\{\s*"log"\s*:|\{[ \t\r]*\n)')
_PLACE: Final = re.compile(r"byte (\d+)")
_OTHERS: Final = (
    (b"\x1f\x8b", "is compressed: unpack it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "is compressed: unpack it first (zstd -d)"),
    (b"SQLite format 3\x00", "is a ledger: read it with  keepwarm report --ledger FILE"),
)


class _Log(msgspec.Struct, frozen=True):
    entries: list[msgspec.Raw]


class _Archive(msgspec.Struct, frozen=True):
    log: _Log


_ARCHIVE: Final = msgspec.json.Decoder(_Archive)
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)


def is_document(head: bytes, name: str) -> bool:
    """Whether a file is one JSON document, by its first HEAD bytes; else it is JSON Lines.

    Raises LogError for one that is empty, or is something else and tells so.
    """
    for sign, told in _OTHERS:
        if head.startswith(sign):
            raise LogError(f"{name} {told}")
    if not head.removeprefix(BOM).strip():
        raise LogError(f"{name} is empty: there is no request in it")
    return _DOCUMENT.match(head.removeprefix(BOM)) is not None


def elements(data: bytes, name: str) -> tuple[str, list[msgspec.Raw]]:
    """("entry", the rows of a document): the entries of a HAR, the elements of a list, or the document itself.

    The rows are parts of `data`, not copies. Raises LogError with the line for what is no JSON.
    """
    text = memoryview(data)[len(BOM) :] if data.startswith(BOM) else data
    try:
        if bytes(text[:HEAD]).lstrip().startswith(b"["):
            return "element", _LIST.decode(text)
        try:
            return "entry", _ARCHIVE.decode(text).log.entries
        except msgspec.ValidationError:
            return "document", [_ANY.decode(text)]
    except UNREADABLE as error:
        raise broken(name, data, str(error)) from error


def broken(name: str, data: bytes, fault: str, line: int = 0) -> LogError:
    """The error for a text that is no JSON; `line` where it is known, else it is counted from the place in `fault`."""
    cut = "truncated" in fault
    found = _PLACE.search(fault)
    at = len(data.rstrip()) if cut or found is None else int(found[1])
    line = line or data.count(b"\n", 0, at) + 1
    if cut:
        return LogError(f"{name}, line {line}: the file is cut off here: export it again, all of it")
    return LogError(f"{name}, line {line}: this is no JSON ({fault.rstrip('.')}): mend or take out that line")


def is_json(row: bytes) -> bool:
    """Whether a line is a JSON value at all."""
    try:
        msgspec.json.decode(row)
    except UNREADABLE:
        return False
    return True
