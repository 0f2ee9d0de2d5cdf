"""The report as one HTML file: it can be read, loads nothing, and says what the ledger says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Verdict
from keepwarm.views import words
from keepwarm.views.report.figures import Asked
from keepwarm.views.report.page import page
from tests.ledger.samples import a_record
from tests.views.day import NOON
from tests.views.report.test_figures import DAY, report
from tests.views.screens import write_ledger

_VOID = {"meta", "br", "hr", "img", "link", "input", "line", "rect"}


class Reader(HTMLParser):
    """Reads a page: every tag is closed where it should be, and what it would load is noted."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.loads += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        if tag not in _VOID or (tag == "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_it_is_whole_and_loads_nothing(day: Path) -> None:
    text = page(report(day))
    reader = Reader(text)
    assert reader.loads == []
    assert not {"script", "iframe", "img", "link", "object", "form"} & set(reader.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_its_figures_are_those_of_the_ledger(day: Path) -> None:
    said = " ".join(Reader(page(report(day))).text)
    with Query(day) as query:
        totals = query.totals(DAY.since, DAY.until)
    known = totals.cached_tokens + totals.processed_tokens
    assert f"{words.count(totals.cached_tokens)} of {words.count(known)} prompt tokens" in said
    assert words.share(totals.cached_tokens, known) in said
    assert f"{words.times(totals.lost_tokens, 'token')} had been processed before" in said
    for code, lost in totals.lost_by_cause:
        assert code in said
        assert words.count(lost) in said


def test_an_empty_period_says_what_to_do(day: Path) -> None:
    said = " ".join(" ".join(Reader(page(report(day, Asked(NOON + 100, NOON + 200)))).text).split())
    assert "No request came" in said
    assert "keepwarm report --since 2026-09-22" in said


@pytest.mark.parametrize("field", ["client", "model", "session", "error"])
def test_names_from_outside_are_only_text(tmp_path: Path, field: str) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=y>'
    lost = Verdict("miss", "client", "counted", 9_000, 10, 8_990, ("VOL001",), sentence=evil)
    record = a_record(at=NOON - 5, verdict=lost, **{field: evil})
    reader = Reader(page(report(write_ledger(tmp_path / "ledger.sqlite", record))))
    assert reader.loads == []
    assert "script" not in reader.tags
