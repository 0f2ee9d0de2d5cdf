"""What a file is, by how it begins, and the rows of a document."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwarm.errors import LogError
from keepwarm.logs import rows

HAR = json.dumps({"log": {"version": "1.2", "entries": [{"a": 1}, {"b": 2}]}}, indent=1).encode()


@pytest.mark.parametrize(
    ("head", "document"),
    [
        (HAR, True),
        (b'{"log":{"entries":[]}}', True),
        (rows.BOM + b' {"log" : {}}', True),
        (b"[\n", True),
        (b'{\r\n  "time": 1', True),
        (b'{"time": 1}\n{"time": 2}\n', False),
        (b"\n\n" + b'{"time": 1}\n', False),
        (b"plain words", False),
    ],
)
def test_a_document_or_lines(head: bytes, document: bool) -> None:
    assert rows.is_document(head, "f") is document


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"", "f is empty"),
        (rows.BOM + b" \n", "f is empty"),
        (b"\x1f\x8b\x08", "gunzip"),
        (b"\x28\xb5\x2f\xfd", "zstd -d"),
        (b"SQLite format 3\x00", "--ledger"),
    ],
)
def test_what_is_no_log(head: bytes, told: str) -> None:
    with pytest.raises(LogError, match=told):
        rows.is_document(head, "f")


def test_the_rows_of_a_document() -> None:
    for data in (HAR, rows.BOM + HAR):
        unit, found = rows.elements(data, "f")
        assert unit == "entry"
        assert [json.loads(bytes(row)) for row in found] == [{"a": 1}, {"b": 2}]
    unit, found = rows.elements(b'[{"a": 1}, 2]', "f")
    assert (unit, list(map(bytes, found))) == ("element", [b'{"a": 1}', b"2"])
    unit, found = rows.elements(b'{\n"time": 1}', "f")
    assert (unit, list(map(bytes, found))) == ("document", [b'{\n"time": 1}'])


def test_a_fault_has_its_line() -> None:
    with pytest.raises(LogError, match=r"f, line 3: this is no JSON"):
        rows.elements(b'{\n"log":\n{"entries": oops}}', "f")
    with pytest.raises(LogError, match=r"f, line 2: the file is cut off here"):
        rows.elements(b'{\n"log": {"entries": [', "f")


@given(st.integers(0, len(HAR) - 1))
def test_a_document_cut_anywhere_says_so(at: int) -> None:
    with pytest.raises(LogError, match="cut off here"):
        rows.elements(HAR[:at], "f")


def test_whether_a_line_is_json() -> None:
    assert rows.is_json(b'{"a": [1]}')
    assert not rows.is_json(b'{"a": [1}')
    assert not rows.is_json(b"[" * 100_000)
