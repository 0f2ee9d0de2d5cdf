"""Writers that tests start as processes of their own, to be killed or to run out of disk."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record, a_recording


def tell(line: str) -> None:
    """Says something to the test that waits for it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write_until_killed(path: Path) -> None:
    """Tells on stdout what is written for certain, then goes on until somebody ends it."""
    ledger = Ledger(path, capacity=400)
    for number in range(600):
        while not ledger.put(a_record(id=f"r{number}"), a_recording(f"r{number}", f"words {number}")):
            ledger.flush()
    ledger.flush()
    tell("600 written")
    while True:
        number += 1
        ledger.put(a_record(id=f"r{number}"), a_recording(f"r{number}", f"words {number}"))


def fill_the_disk(path: Path) -> None:
    """Lets files grow no further for a while: to SQLite that is a disk on which nothing can be written."""
    ledger = Ledger(path)
    texts = [f"words {number}" for number in range(60)]
    ledger.put(a_record(id="before"), a_recording("before", *texts[:5]))
    assert ledger.flush()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    for number in range(50):
        name = f"during{number}"
        assert ledger.put(a_record(id=name, error="x" * 500), a_recording(name, *texts[: 6 + number]))
    assert ledger.flush()
    tell(f"{ledger.dropped} {ledger.last_error}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    ledger.put(a_record(id="after"), a_recording("after", *texts))
    assert ledger.close()


if __name__ == "__main__":
    {"kill": write_until_killed, "disk": fill_the_disk}[sys.argv[1]](Path(sys.argv[2]))
