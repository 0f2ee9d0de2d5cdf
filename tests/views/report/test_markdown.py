"""The report as Markdown, as it reads."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from keepwarm.ledger.query import Query
from keepwarm.ledger.records import Recording, Verdict
from keepwarm.views.report.figures import Asked
from keepwarm.views.report.markdown import markdown
from keepwarm.views.report.texts import excerpts
from tests.ledger.samples import a_record, segments
from tests.views.day import NOON
from tests.views.goldens import check_golden
from tests.views.report.test_figures import DAY, report
from tests.views.screens import write_ledger

GOLDEN = Path(__file__).parent / "golden"


def test_the_day(day: Path) -> None:
    check_golden(GOLDEN / "day.md", markdown(report(day)))


def test_an_empty_period(day: Path) -> None:
    check_golden(GOLDEN / "empty.md", markdown(report(day, Asked(NOON + 100, NOON + 200))))


def test_names_from_outside_are_no_markup(tmp_path: Path) -> None:
    record = a_record(at=NOON - 5, client="<script>|`[x](http://evil)", model="a|b\n# c")
    text = markdown(report(write_ledger(tmp_path / "ledger.sqlite", record)))
    assert "<script>" not in text.replace("\\<", "")
    assert "](http" not in text.replace("\\]", "")
    assert "\n# c" not in text


def test_words_only_where_they_are_asked_for_and_recorded(tmp_path: Path) -> None:
    lost = Verdict("miss", "client", "counted", 20_000, 10, 19_990, ("VOL001",), sentence="It changed.")
    first, second = a_record(id="f1", at=NOON - 9), a_record(id="f2", parent="f1", turn=2, at=NOON - 5, verdict=lost)
    path = write_ledger(
        tmp_path / "ledger.sqlite",
        (first, Recording("f1", segments("you are SECRET-ONE"), segments("you are SECRET-ONE"))),
        (second, Recording("f2", segments("you are SECRET-TWO"), segments("you are SECRET-TWO"))),
    )
    found = report(path)
    assert "SECRET" not in markdown(found)
    with Query(path) as query:
        text = markdown(replace(found, asked=replace(DAY, words=True)), excerpts(query, found.worst))
    assert "\n- ONE\n+ TWO\n" in text
