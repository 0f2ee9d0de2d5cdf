"""A record is a value that can be stored: what was not reported is None, and no prompt text stands in it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.ledger.records import Record, Recording, Verdict
from tests.ledger.samples import RECORDS

PLAIN = Record(
    id="r1",
    at=1_790_000_000.5,
    front="anthropic",
    client="",
    session="",
    agent="",
    kind="side",
    lineage="",
    parent="",
    turn=1,
    upstream="llamacpp",
    model="m",
    stream=True,
    status=502,
    ending="failed",
)


def test_what_was_not_reported_is_none_and_not_zero() -> None:
    assert PLAIN.usage == Usage(None, None, None, None, None, None)
    assert PLAIN.usage.processed_tokens is None
    assert (PLAIN.verdict, PLAIN.seat) == (None, None)
    assert (PLAIN.overhead_ms, PLAIN.first_byte_ms, PLAIN.first_token_ms, PLAIN.total_ms) == (None,) * 4
    assert Verdict("unknown", "nobody", "unknown").actual is None


@given(RECORDS)
def test_a_record_survives_being_written(record: Record) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=Record) == record


def test_words_outside_the_vocabulary_are_refused() -> None:
    said = msgspec.json.encode({**msgspec.to_builtins(PLAIN), "ending": "vanished"})
    with pytest.raises(msgspec.ValidationError, match="ending"):
        msgspec.json.decode(said, type=Record)


def test_a_change_is_kept_as_counts_and_its_text_only_in_a_recording() -> None:
    """The ledger is safe to share: letters of a prompt have no field to stand in."""
    texts = {"before", "after", "text", "body", "received", "sent"}
    assert texts.isdisjoint(EditNote.__struct_fields__)
    assert texts.isdisjoint(Record.__struct_fields__)
    assert {"received", "sent"} <= set(Recording.__struct_fields__)
