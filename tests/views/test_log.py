"""`keepwarm log`, as it looks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.errors import LedgerError
from keepwarm.ledger.records import Record, Verdict
from keepwarm.ledger.store import Ledger
from keepwarm.views import log
from tests.ledger.samples import RECORDS, a_record
from tests.views.screens import Screen, write_ledger

PARTIAL = Verdict("partial", "client", "counted", 38_000, 20_102, 14_000, ("VOL001", "ROL001"))

UNKNOWN = Verdict("unknown", "nobody", "unknown")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the zone of the machine: here, one that is known."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def shown(record: Record, width: int = 80) -> str:
    return log.line(record, width).plain


def test_the_screen(tmp_path: Path) -> None:
    path = write_ledger(
        tmp_path / "ledger.sqlite",
        a_record(usage=Usage(20_000, 0), first_token_ms=31_020.0, verdict=Verdict("first", "nobody", "counted", 0, 0)),
        a_record(id="bbbb1111", turn=2),
        a_record(id="cccc1111", turn=3, usage=Usage(40_931, 20_102), verdict=PARTIAL),
        a_record(id="dddd1111", kind="side", session="", usage=Usage(300), verdict=UNKNOWN),
        a_record(
            id="eeee1111", turn=4, status=502, ending="failed", error="unreachable: refused", usage=Usage(),
            verdict=None, first_token_ms=None,
        ),
        a_record(id="ffff1111", kind="subagent", turn=1234, ending="hung_up"),
        a_record(id="0000aaaa", at=1_790_050_000.0),
    )  # fmt: skip
    screen = Screen()
    log.print_log(path, console=screen.console)
    assert (
        screen.text()
        == """\
time     id     sess kind turn reused    cached/all   1st verdict
2026-09-21
14:13:20 5f0c2a 3fa8 main    1 ░░░░░░░░     0/20.0k 31.0s first
14:13:20 bbbb11 3fa8 main    2 ███████░ 20.1k/20.4k 330ms hit
14:13:20 cccc11 3fa8 main    3 ████▒▒▒░ 20.1k/40.9k 330ms partial client VOL001
14:13:20 dddd11 -    side    1                -/300 330ms unknown
14:13:20 eeee11 3fa8 main    4                  -/-     - 502 unreachable: refu…
14:13:20 ffff11 3fa8 sub  1234 ███████░ 20.1k/20.4k 330ms hit hung up
2026-09-22
04:06:40 0000aa 3fa8 main    1 ███████░ 20.1k/20.4k 330ms hit"""
    )


@given(RECORDS, st.integers(40, 200))
@settings(max_examples=200)
def test_any_request_is_one_line_that_fits(record: Record, width: int) -> None:
    for ascii_only in (False, True):
        line = log.line(record, width, ascii_only=ascii_only)
        assert line.cell_len <= width
        assert line.plain.isprintable()
        assert line.plain.isascii() or not ascii_only


def test_not_reported_is_never_nothing() -> None:
    record = a_record(usage=Usage(prompt_tokens=20_431), verdict=UNKNOWN)
    assert "-/20.4k" in shown(record)
    assert not set("█▒░0%") & set(log.bar(record))
    assert log.bar(a_record(usage=Usage(20_431, 0), verdict=None)) == "░" * log.BAR


@pytest.mark.parametrize(
    ("prompt", "cached", "lost", "drawn"),
    [
        (100, 100, 0, "████████"),
        (100, 99, 0, "███████░"),
        (10_000, 1, 0, "█░░░░░░░"),
        (100, 50, 50, "████▒▒▒▒"),
        (100, 50, 1, "████▒░░░"),
        (100, 0, 500, "▒▒▒▒▒▒▒▒"),
        (0, 0, 0, "        "),
    ],
)
def test_the_bar(prompt: int, cached: int, lost: int, drawn: str) -> None:
    verdict = Verdict("partial", "client", "counted", lost=lost)
    assert log.bar(a_record(usage=Usage(prompt, cached), verdict=verdict)) == drawn


def test_the_model_is_shown_where_there_is_room() -> None:
    record = a_record(model="qwen3-coder")
    assert "qwen3-coder" in shown(record, 120)
    assert "qwen3-coder" not in shown(record, 80)


def test_colour_is_only_colour() -> None:
    record = a_record(verdict=PARTIAL)
    plain, coloured = log.line(record, colour=False), log.line(record, colour=True)
    assert plain.plain == coloured.plain
    assert not plain.spans
    assert coloured.spans


def test_a_terminal_that_is_not_utf8(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", a_record(usage=Usage(40_931, 20_102), verdict=PARTIAL))
    screen = Screen(encoding="ascii")
    log.print_log(path, console=screen.console)
    assert "####xxx. 20.1k/40.9k 330ms partial client VOL001" in screen.text()


def test_the_newest_few_of_one_session(tmp_path: Path) -> None:
    path = write_ledger(
        tmp_path / "ledger.sqlite", *(a_record(id=f"{number}aaaaa", session="xy"[number % 2]) for number in range(8))
    )
    screen = Screen()
    log.print_log(path, limit=3, session="y", console=screen.console)
    assert [line[9:15] for line in screen.text().splitlines()[2:]] == ["3aaaaa", "5aaaaa", "7aaaaa"]


def test_following_shows_each_request_once_as_it_comes(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", a_record(id="aaaaa0"))
    ledger, screen, looks = Ledger(path), Screen(), iter(range(5))

    def wait() -> bool:
        """Between two looks: something comes, nothing comes, much comes, nothing, the end."""
        look = next(looks)
        for number in range((1, 0, 700, 0, 0)[look]):
            ledger.put(a_record(id=f"{look}a{number:04}"))
        ledger.flush()
        return look < 4

    log.print_log(path, follow=True, console=screen.console, wait=wait)
    ledger.close()
    names = [line[9:15] for line in screen.text().splitlines()[2:]]
    assert names == ["aaaaa0", "0a0000", *(f"2a{number:04}" for number in range(700))]


def test_an_interrupt_ends_the_following(tmp_path: Path) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    screen = Screen()
    path = write_ledger(tmp_path / "ledger.sqlite", a_record())
    log.print_log(path, follow=True, console=screen.console, wait=interrupted)
    assert "5f0c2a" in screen.text()


def test_what_could_not_be_written_down_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put(a_record())
    ledger.put(a_record())
    ledger.close()
    screen = Screen(width=200)
    log.print_log(ledger.path, console=screen.console)
    last = screen.text().splitlines()[-1]
    assert last.startswith("1 request could not be written down; last reason: request 5f0c2a9e61 cannot be written")


@pytest.mark.parametrize("exists", [False, True])
def test_no_requests_yet(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "ledger.sqlite"
    if exists:
        write_ledger(path)
    with pytest.raises(LedgerError, match=r"no requests yet: .*keepwarm serve"):
        log.print_log(os.fspath(path), console=Screen().console)
