"""What a status line shows of a session: the same numbers as everywhere else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from keepwarm.config import default_ledger
from keepwarm.core.events import Usage
from keepwarm.ledger.glance import default_path, glance
from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.store import Ledger
from tests.ledger.samples import a_record


def record(number: int, session: str, cached: int | None, prompt: int | None, lost: int = 0, cause: str = "") -> Record:
    verdict = Verdict("partial" if lost else "hit", "client", "counted", lost=lost, causes=(cause,) if cause else ())
    usage = Usage(prompt_tokens=prompt, cached_tokens=cached)
    return msgspec.structs.replace(a_record(id=f"r{number}", session=session), usage=usage, verdict=verdict)


def seen(path: Path, session: str) -> tuple[object, ...] | None:
    """The glance as a tuple."""
    found = glance(str(path), session)
    if found is None:
        return None
    sums = (found.requests, found.prompt_tokens, found.cached_tokens, found.lost_tokens)
    return (*sums, found.cause, found.since)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a #1 ledger? 100%.sqlite"
    store = Ledger(path)
    for one in (
        record(1, "s", 0, 1000),
        record(2, "s", 400, 1100, 600, "HIS005"),
        record(3, "other", 0, 9000, 8000, "VOL001"),
        record(4, "s", 1090, 1200),
        record(5, "s", None, None),
        record(6, "quiet", None, 50),
    ):
        store.put(one)
    store.close()
    return path


def test_a_session(path: Path) -> None:
    assert seen(path, "s") == (4, 3300, 1490, 600, "HIS005", 2)
    assert seen(path, "other") == (1, 9000, 0, 8000, "VOL001", 0)
    assert seen(path, "quiet") == (1, 0, 0, 0, "", 0)


def test_without_a_name_the_one_that_asked_last(path: Path) -> None:
    assert seen(path, "") == seen(path, "quiet")


def test_nothing_yet(path: Path, tmp_path: Path) -> None:
    assert glance(str(path), "nobody") is None
    assert glance(str(tmp_path / "none.sqlite"), "s") is None


def test_it_is_the_sum_that_the_others_show(path: Path) -> None:
    with Query(path) as query:
        totals = query.totals()
        records = query.page(limit=50).records
    every = [one for name in ("s", "other", "quiet") if (one := glance(str(path), name))]
    assert sum(one.cached_tokens for one in every) == totals.cached_tokens
    assert sum(one.prompt_tokens for one in every) == totals.cached_tokens + totals.processed_tokens
    assert sum(one.requests for one in every) == totals.requests == len(records)
    assert sum(one.lost_tokens for one in every) == totals.lost_tokens


def test_a_file_that_is_no_ledger_is_an_error_of_sqlite(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database at all, and long enough to look like one")
    with pytest.raises(sqlite3.Error):
        glance(str(tmp_path / "x.sqlite"), "s")


def test_the_default_place_is_the_settings_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Path(default_path()) == default_ledger() == tmp_path / "keepwarm" / "ledger.sqlite"


def test_it_brings_nothing_slow_with_it() -> None:
    said = "import sys; import keepwarm.views.statusline; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert not {
        "typer",
        "rich",
        "msgspec",
        "aiohttp",
        "asyncio",
        "pathlib",
        "typing",
        "json",
        "re",
        "keepwarm.config",
    } & set(done.stdout.split())
