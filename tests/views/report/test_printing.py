"""`keepwarm report` on a terminal and into files."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.errors import ConfigError, LedgerError
from keepwarm.rules.codes import CODES
from keepwarm.views.report.printing import Wanted, print_report
from tests.views.day import NOON
from tests.views.goldens import check_golden
from tests.views.screens import Screen

GOLDEN = Path(__file__).parent / "golden"


def printed(path: Path, wanted: Wanted, *, encoding: str = "utf-8") -> str:
    screen = Screen(80, encoding)
    print_report(path, wanted, screen.console, CODES, frozenset(CODES), NOON + 60)
    return screen.text()


def test_the_short_page(day: Path) -> None:
    check_golden(GOLDEN / "short.txt", printed(day, Wanted()))


def test_a_terminal_that_is_not_utf8(day: Path) -> None:
    assert printed(day, Wanted(), encoding="ascii").isascii()


def test_an_empty_period_says_what_to_do(day: Path) -> None:
    said = " ".join(printed(day, Wanted(since="30m", until="2026-09-22T12:00:30", session="")).split())
    assert "requests in" in said
    said = " ".join(printed(day, Wanted(since="2026-09-01", until="2026-09-02")).split())
    assert "No request came" in said
    assert "leave --until away" in said


def test_files(day: Path, tmp_path: Path) -> None:
    html, md = tmp_path / "r.html", tmp_path / "r.md"
    said = printed(day, Wanted(html=html, markdown=md))
    assert said.replace("\n", "").count("written:") == 2
    assert html.read_text().startswith("<!doctype html>")
    assert md.read_text().startswith("# What the prefix cache did")
    for name, begins in (("o.html", "<!doctype"), ("o.md", "# What")):
        printed(day, Wanted(out=tmp_path / name))
        assert (tmp_path / name).read_text().startswith(begins)
    assert printed(day, Wanted(markdown=Path("-"))) == md.read_text().rstrip()


def test_no_path_of_this_machine_stands_in_a_report(day: Path, tmp_path: Path) -> None:
    html = tmp_path / "r.html"
    printed(day, Wanted(html=html))
    assert str(tmp_path) not in html.read_text()


def test_what_cannot_be_says_what_to_do(day: Path, tmp_path: Path) -> None:
    for wanted, told in (
        (Wanted(until="9d"), "--until must be later"),
        (Wanted(change="9d"), "--change must lie between"),
        (Wanted(since="soon"), "--since 'soon' is no moment"),
        (Wanted(out=tmp_path / "r.pdf"), "neither .html nor .md"),
        (Wanted(html=tmp_path / "no" / "r.html"), "name another file"),
    ):
        with pytest.raises(ConfigError, match=told):
            printed(day, wanted)
    with pytest.raises(LedgerError, match="keepwarm serve"):
        printed(tmp_path / "none.sqlite", Wanted())
