"""A record goes into a row and comes back; a field that is added to a record cannot be forgotten."""

from __future__ import annotations

import sqlite3

from hypothesis import given

from keepwarm.core.events import Usage
from keepwarm.ledger import migrations
from keepwarm.ledger.records import Record, Seat, Verdict
from keepwarm.ledger.rows import COLUMNS, VERDICT_COLUMNS, record_of, row_of, verdict_row
from tests.ledger.samples import RECORDS, VERDICTS, a_record


@given(RECORDS)
def test_a_record_comes_back_from_its_row(record: Record) -> None:
    assert record_of(row_of(record)) == record


@given(VERDICTS)
def test_the_columns_of_a_verdict_are_those_of_its_record(verdict: Verdict) -> None:
    row = dict(zip(COLUMNS, row_of(a_record(verdict=verdict)), strict=True))
    assert verdict_row(verdict) == tuple(row[name] for name in VERDICT_COLUMNS)


def test_each_field_has_a_column() -> None:
    flat = (*Record.__struct_fields__, *Usage.__struct_fields__, *Verdict.__struct_fields__, *Seat.__struct_fields__)
    # The three that hold others, and the one whose column is named for what it belongs to.
    assert set(flat) - {"usage", "verdict", "seat", "reason"} == set(COLUMNS) - {"cause", "seat_reason"}


def test_the_table_has_these_columns_and_no_others() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection)
    table = [row[1] for row in connection.execute("PRAGMA table_info(requests)")]
    assert sorted(table) == sorted(["seq", *COLUMNS])


def test_what_the_server_did_not_report_is_null_and_not_zero() -> None:
    row = dict(zip(COLUMNS, row_of(a_record(usage=Usage(prompt_tokens=7))), strict=True))
    assert (row["prompt_tokens"], row["cached_tokens"]) == (7, None)


def test_text_that_no_file_can_hold_is_replaced_wherever_it_stands() -> None:
    record = a_record(error="cut \ud83d", metadata=(("cch", "\udc00x"),), verdict=Verdict("hit", "nobody", "counted"))
    back = record_of(row_of(record))
    assert (back.error, back.metadata) == ("cut ?", (("cch", "?x"),))
    assert back.verdict == record.verdict
    (sentence,) = [value for value in verdict_row(Verdict("hit", "nobody", "exact", sentence="\udc00")) if value == "?"]
    assert sentence
