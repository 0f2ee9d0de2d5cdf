"""What a report says of the log that it is made from."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from keepwarm.ledger.query import Query
from keepwarm.rules.codes import CODES
from keepwarm.views.report.figures import Report, read
from keepwarm.views.report.markdown import markdown
from keepwarm.views.report.page import page
from keepwarm.views.report.printing import Wanted, print_report
from keepwarm.views.report.source import Source
from tests.views.day import NOON
from tests.views.report.test_figures import DAY
from tests.views.screens import Screen

LOG = Source(
    files=("a.har", "b.jsonl"),
    formats=("HAR 1.2", "claude-trace"),
    begin=NOON - 43_200,
    end=NOON + 60,
    read=34,
    skipped=(("other paths (count_tokens)", 12), ("the request's body is not in the log", 1)),
    notes=("The last line of b.jsonl (line 9) is cut off: it is left out.",),
    places={"a5" + "0" * 22: "a.har, entry 6"},
)


def report(day: Path, source: Source = LOG) -> Report:
    with Query(day) as query:
        return read(query, DAY, NOON, CODES, frozenset(CODES), source)


def test_the_sentences() -> None:
    assert LOG.sentences() == (
        "From a log, not from traffic through keepwarm: a.har (HAR 1.2); b.jsonl (claude-trace).",
        "34 exchanges read; 13 others left out: 12 other paths (count_tokens), 1 the request's body is not in the log.",
        "The last line of b.jsonl (line 9) is cut off: it is left out.",
        "Nothing was rewritten: the requests are judged as they stand in the log.",
    )
    assert "34 exchanges read, none left out." in replace(LOG, skipped=()).sentences()


def test_where_a_request_stands() -> None:
    assert LOG.where("a5" + "0" * 22) == "a.har, entry 6"
    assert LOG.where("unknown") == "-"
    assert replace(LOG, places={"x": "a|b`.har, entry 1"}).where("x") == "a/b'.har, entry 1"
    assert (
        replace(LOG, ledger="kept.sqlite").where("a5" + "0" * 22)
        == "keepwarm explain a50000000000 --ledger kept.sqlite"
    )


def test_every_form_says_it(day: Path) -> None:
    found = report(day)
    for text in (page(found), markdown(found).replace("\\", "")):
        for sentence in LOG.sentences()[::2]:
            assert sentence in text
        assert "a.har, entry 6" in text
        assert "keepwarm explain" not in text
        assert "Send it through keepwarm" in text


def test_the_short_page(day: Path) -> None:
    screen = Screen(100)
    print_report(day, Wanted(), screen.console, CODES, frozenset(CODES), NOON + 9e6, LOG)
    said = " ".join(screen.text().split())
    assert "2026-09-22 00:00 to 2026-09-22 12:01" in said, "all of the log, whenever it was"
    assert "Log From a log" in said
    assert "keepwarm report --log a.har --log b.jsonl --html" in said


def test_an_empty_period_of_a_log(day: Path) -> None:
    screen = Screen(100)
    wanted = Wanted(since="2026-09-01", until="2026-09-02")
    print_report(day, wanted, screen.console, CODES, frozenset(CODES), NOON, LOG)
    said = " ".join(screen.text().split())
    assert "The log is about 2026-09-22 00:00 to 2026-09-22 12:01: leave --since" in said


def test_a_time_back_is_counted_from_the_end_of_the_log(day: Path) -> None:
    screen = Screen(100)
    print_report(day, Wanted(since="1h"), screen.console, CODES, frozenset(CODES), NOON + 9e6, LOG)
    assert "2026-09-22 11:01 to 2026-09-22 12:01" in screen.text()


def test_names_from_outside_move_no_cursor() -> None:
    strange = replace(LOG, files=("a\x1b[2J.har", "b"), notes=("x\ny",), ledger="l\x1b")
    assert "\x1b" not in "".join(strange.sentences()) + strange.where("i")
    assert "\n" not in "".join(strange.sentences())
