"""One number everywhere: a session played live, and the same traffic as a log, have the same causes and counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record
from keepwarm.rules.shelf import Shelf
from keepwarm.shell.log_report import read_logs
from keepwarm.testing.scenarios.scenario import Scenario
from tests.logs.stage import WRITERS, play_live

SCENARIOS = (
    Scenario(("VOL001-each",), turns=5),
    Scenario(("ORD001-each", "HIS003-each"), turns=5),
    Scenario(("HIS005-result",), turns=6),
    Scenario(("SEA001-helpers",), turns=5),
    Scenario(("VOL003-date",), turns=5, shape="chat"),
    Scenario(("HIS002-dropped",), turns=5, shape="chat"),
)


def told(record: Record) -> Record:
    """What must be the same: all but the id, the times, and the words and rate that hang on them."""
    verdict = record.verdict
    return replace(
        record,
        id="", parent="", at=0.0, lineage="",
        overhead_ms=None, first_byte_ms=None, first_token_ms=None, total_ms=None,
        verdict=verdict if verdict is None else replace(verdict, lost_ms=None),
    )  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: f"{one.name}-{one.shape}")
async def test_a_log_says_what_the_gateway_said(scenario: Scenario, tmp_path: Path) -> None:
    live = await play_live(scenario, tmp_path)
    assert any(record.verdict is not None and record.verdict.causes for record in live.records)
    with Query(tmp_path / "live.sqlite") as query:
        totals = query.totals()
    for name, write in WRITERS.items():
        (path := tmp_path / f"{name}.log").write_bytes(write(live.tape))
        source = read_logs([path], tmp_path / f"{name}.sqlite", Shelf(()))
        assert source.read == len(live.tape)
        assert source.skipped == ()
        with Query(tmp_path / f"{name}.sqlite") as query:
            logged = query.totals()
            records = tuple(reversed(query.page(limit=1000).records))
        assert [told(record) for record in records] == [told(record) for record in live.records]
        assert logged.lost_by_cause == totals.lost_by_cause
        assert (logged.cached_tokens, logged.processed_tokens) == (totals.cached_tokens, totals.processed_tokens)
