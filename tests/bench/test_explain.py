"""The benchmark of `explain` builds a ledger that reads as a gateway's own, and asks what it says it asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import explain
from keepwarm.ledger.query import Query


def test_it_builds_a_ledger_and_asks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "ROUNDS", 1)
    monkeypatch.setattr(explain, "_BATCH", 100)
    path = tmp_path / "ledger.sqlite"
    explain.build(path, 450)
    with Query(path) as query:
        assert query.totals().requests == 450
        last = query.last()
        assert last == explain.record(449)
        assert query.get(last.parent) == explain.record(448)
        lineage = query.around(last, 8, 2)
        assert [one.turn for one in lineage] == list(range(43, 51))
    rows = explain.measure(path, 450)
    assert all(len(row.ms) == 1 for row in rows)
    assert explain.table(rows).count("\n") == len(rows) + 1
