"""`keepwarm top` where there is no terminal for it: one plain page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keepwarm.shell.top.feed import GatewayFeed
from keepwarm.shell.top.start import print_once, run_top
from keepwarm.views.top.head import Gateway
from tests.shell.top.stage import LIVE, URL
from tests.views.day import NOON, a_day
from tests.views.goldens import check_golden
from tests.views.screens import Screen, write_ledger

GOLDEN = Path(__file__).parent / "golden"


class Says(GatewayFeed):
    """A gateway that says one thing."""

    async def once(self) -> Gateway:
        return Gateway(URL, LIVE)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day with agents."""
    return write_ledger(tmp_path / "ledger.sqlite", *a_day())


def test_one_page(day: Path) -> None:
    screen = Screen(100)
    print_once(day, Says(URL), screen.console, NOON + 1.1)
    check_golden(GOLDEN / "once.txt", screen.text())


def test_one_page_in_ascii(day: Path) -> None:
    screen = Screen(80, "ascii")
    print_once(day, Says(URL), screen.console, NOON + 1.1)
    assert screen.text().isascii()
    assert max(map(len, screen.text().splitlines())) <= 80


def test_a_pipe_gets_one_page(day: Path, free_port: int) -> None:
    screen = Screen(80)
    run_top(day, f"http://127.0.0.1:{free_port}", "", screen.console)
    assert f"no gateway at http://127.0.0.1:{free_port}" in screen.text()
    assert "ae0000" in screen.text()


def test_no_ledger_says_what_to_do(tmp_path: Path, free_port: int) -> None:
    screen = Screen(80)
    run_top(tmp_path / "none.sqlite", f"http://127.0.0.1:{free_port}", "", screen.console, once=True)
    assert "1. start the gateway" in screen.text()


def test_a_plain_page_needs_no_terminal_library(day: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual", None)
    run_top(day, f"http://127.0.0.1:{free_port}", "", Screen(80).console, once=True)
