"""`keepwarm report --log`: a report of traffic that did not pass through keepwarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from keepwarm.errors import LedgerError, LogError
from keepwarm.ledger.query import Query
from keepwarm.rules.codes import CODES
from keepwarm.rules.shelf import Shelf
from keepwarm.shell.log_report import read_logs, report_logs
from keepwarm.views.report.printing import Wanted
from tests.logs.samples import NOON, SECRET_WORDS, a_tape
from tests.logs.stage import KEY, WRITERS, har, pairs
from tests.views.clocks import utc
from tests.views.goldens import check_golden
from tests.views.screens import Screen

__all__ = ["utc"]
GOLDEN = Path(__file__).parent.parent / "logs" / "golden"
ALL = frozenset(CODES)


def printed(paths: list[Path], wanted: Wanted, ledger: Path | None = None) -> str:
    screen = Screen(100)
    report_logs(paths, wanted, screen.console, Shelf(), ALL, ledger)
    return screen.text()


def whole(text: str) -> str:
    """A report without the moment at which it was made."""
    return "\n".join(line.partition(" Made by")[0] for line in text.splitlines())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (path := tmp_path / "pump house.jsonl").write_bytes(pairs(a_tape()))
    return path


def test_the_short_page(log: Path) -> None:
    check_golden(GOLDEN / "short.txt", printed([log], Wanted()))


def test_the_whole(log: Path) -> None:
    check_golden(GOLDEN / "report.md", whole(printed([log], Wanted(markdown=Path("-")))))


@pytest.mark.parametrize("name", WRITERS)
def test_keys_and_words_stay_in_the_log(name: str, tmp_path: Path) -> None:
    (log := tmp_path / f"x.{name}").write_bytes(WRITERS[name](a_tape()))
    assert KEY.encode() in log.read_bytes()
    kept, html, md = tmp_path / "kept.sqlite", tmp_path / "r.html", tmp_path / "r.md"
    said = printed([log], Wanted(html=html, markdown=md), kept) + printed([log], Wanted())
    for text in (said.encode(), html.read_bytes(), md.read_bytes(), *map(Path.read_bytes, tmp_path.glob("kept*"))):
        assert KEY.encode() not in text
        assert SECRET_WORDS.encode() not in text
    assert str(tmp_path) not in html.read_text() + md.read_text()


def test_words_where_they_are_asked_for(log: Path, tmp_path: Path) -> None:
    html = tmp_path / "r.html"
    printed([log], Wanted(html=html, words=True))
    text = html.read_text()
    assert "cch=0000" in text
    assert KEY not in text


def test_the_ledger_that_is_made_is_gone_unless_it_is_named(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (temporary := tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    printed([log], Wanted())
    assert list(temporary.iterdir()) == []
    kept = tmp_path / "kept.sqlite"
    said = printed([log], Wanted(), kept)
    with Query(kept) as query:
        assert query.totals().requests == 8
        assert f"keepwarm explain {query.worst(0, NOON * 2, 1)[0].id[:12]} --ledger kept.sqlite" in " ".join(
            said.split()
        )
    with pytest.raises(LedgerError, match="is there already"):
        printed([log], Wanted(), kept)


def test_a_span_and_a_session(log: Path) -> None:
    assert "3 requests in 1 session" in printed([log], Wanted(since="3m"))
    assert "8 requests in 1 session" in printed([log], Wanted(session="3fa8"))
    with pytest.raises(LedgerError, match="no session has a name that begins with 'nobody'"):
        printed([log], Wanted(session="nobody"))


def test_what_is_left_out_is_counted(log: Path, tmp_path: Path) -> None:
    tape = a_tape(3)
    data = har(tape).replace(b"/v1/messages?", b"/api/event_logging?", 1)
    (other := tmp_path / "o.har").write_bytes(data)
    source = read_logs([log, other], tmp_path / "l.sqlite", Shelf())
    assert source.read == 8
    assert dict(source.skipped) == {"other paths (event_logging)": 1, "the same exchange once more": 2}
    assert (source.begin, source.end) == (NOON, NOON + 7 * 60 + 1)
    assert source.formats == ("JSON Lines of requests and responses", "HAR 1.2")


def test_a_log_without_a_request_of_a_model(tmp_path: Path) -> None:
    (log := tmp_path / "o.har").write_bytes(har(a_tape(2)).replace(b"/v1/messages?", b"/telemetry?"))
    with pytest.raises(LogError, match=r"no request of a model in o.har .*2 other paths \(telemetry\)"):
        printed([log], Wanted())


def test_answers_that_are_not_in_the_log_are_in_no_hit_rate(tmp_path: Path) -> None:
    lines = [line.partition(b',"response":')[0] + b"}" for line in pairs(a_tape(3)).splitlines()]
    (log := tmp_path / "l").write_bytes(b"\n".join(lines))
    said = " ".join(printed([log], Wanted()).split())
    assert "the server reused 0 of 0 prompt tokens (-)" in said
    assert "Of 3 requests no cached tokens are known: they are in no hit rate" in said


def test_a_full_disk_is_an_error_and_not_a_smaller_report(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepwarm.ledger.store._INSERT", "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(LedgerError, match=r"cannot be written .*TMPDIR"):
        read_logs([log], tmp_path / "l.sqlite", Shelf())
