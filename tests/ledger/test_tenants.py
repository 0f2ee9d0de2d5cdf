"""Who was in which slot, when the file is opened again."""

from __future__ import annotations

from pathlib import Path

from keepwarm.ledger.records import Seat
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record


def test_the_latest_of_each_slot_and_who_lost_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path, server="http://here")
    for number, (lineage, slot) in enumerate([("a", 0), ("b", 1), ("c", 0), ("b", 1), ("d", None)]):
        ledger.put(a_record(id=f"r{number}", at=float(number), lineage=lineage, session="s", seat=Seat(slot, "")))
    ledger.close()
    again = Ledger(path, server="http://here")
    assert [(one.lineage, one.slot) for one in again.tenants] == [("a", None), ("c", 0), ("b", 1)]
    again.close()
    other = Ledger(path, server="http://there")
    assert other.tenants == ()
    other.close()
