"""The lines of sessions and requests."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.ledger.records import Record
from keepwarm.ledger.sessions import ConversationSums, SessionSums
from keepwarm.ledger.sums import Sums
from keepwarm.views.top import lines
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.picture import Row
from tests.ledger.samples import RECORDS, WORDS, a_record

COUNTS = st.integers(0, 2**40)
SUMS = st.builds(Sums, requests=COUNTS, cached_tokens=COUNTS, processed_tokens=COUNTS, lost_tokens=COUNTS)
SESSIONS = st.builds(
    SessionSums, WORDS, WORDS, WORDS, WORDS, WORDS, st.just(1.0), st.just(2.0), COUNTS, COUNTS, st.none(), WORDS, WORDS,
    SUMS,
)  # fmt: skip
CONVERSATIONS = st.builds(
    ConversationSums, WORDS, WORDS, st.sampled_from(["main", "subagent", "side"]), WORDS, WORDS, WORDS, WORDS,
    st.just(1.0), st.just(2.0), st.none(), WORDS, WORDS, SUMS,
)  # fmt: skip


@given(WORDS, SESSIONS | CONVERSATIONS, st.none() | RECORDS, st.integers(40, 220), st.booleans())
@settings(max_examples=200)
def test_any_session_is_one_line_that_fits(
    name: str, sums: SessionSums | ConversationSums, last: Record | None, width: int, ascii_only: bool
) -> None:
    line = lines.session_line(Row(name, sums, last), Paper(width, ascii_only))
    assert line.cell_len <= width - 2
    assert line.plain.isprintable()
    assert line.plain.isascii() or not ascii_only


@given(RECORDS, st.integers(42, 220))
def test_any_request_is_one_line_that_fits(record: Record, width: int) -> None:
    assert lines.request_line(record, Paper(width)).cell_len <= width - 2
    assert lines.why(record, Paper(width)).cell_len <= width


def test_the_columns_stand_under_their_names() -> None:
    sums = Sums(requests=12, cached_tokens=900, processed_tokens=100, lost_tokens=50)
    row = Row(
        "abcdefgh-9", SessionSums("abcdefgh-9", "x", "c", "m", "u", 1.0, 2.0, 1, 3, None, "", "", sums), a_record()
    )
    for width in (80, 120, 200):
        paper = Paper(width)
        heading, line = lines.session_heading(paper).plain, "  " + lines.session_line(row, paper).plain
        at = heading.index("hit") + 3
        assert line[:at].endswith(" 90.0%")
        at = heading.index("reqs") + 4
        assert line[:at].endswith(" 12")
        at = heading.index("last verdict")
        assert line[at - 1] == " "
        assert line[at] != " "


def test_sessions_that_are_not_listed_are_told_of() -> None:
    assert "(+7: / filters)" in lines.session_heading(Paper(120), 7).plain
    assert "filters" not in lines.session_heading(Paper(120)).plain


def test_the_speed_of_an_answer() -> None:
    assert lines.speed(None) == "-"
    assert lines.speed(a_record(usage=Usage(10, 5, 44, 1.0, 1_000.0))) == "44.0"
    assert lines.speed(a_record(usage=Usage(10, 5, 44), first_token_ms=500.0, total_ms=1_500.0)) == "44.0"
    assert lines.speed(a_record(usage=Usage(10, 5, 44), first_token_ms=None, total_ms=1_500.0)) == "-"
    assert lines.speed(a_record(usage=Usage(10, 5, 0, 1.0, 1_000.0))) == "-"


def test_not_reported_is_never_a_hit_rate() -> None:
    assert lines.hit_rate(Sums(requests=3, unreported=3)) == "-"
    assert lines.rate_style(Sums()) == "dim"


def test_colours_follow_the_levels_of_the_alerts() -> None:
    for rate, style in ((95, "green"), (80, "green"), (79, "yellow"), (60, "yellow"), (59, "red"), (0, "red")):
        assert lines.rate_style(Sums(cached_tokens=rate, processed_tokens=100 - rate)) == style


def test_an_error_is_said_where_there_is_no_verdict() -> None:
    broken = a_record(verdict=None, error="unreachable: refused")
    assert "unreachable" in lines.why(broken, Paper(80)).plain
    assert "No verdict" in lines.why(a_record(verdict=None), Paper(80)).plain
    assert lines.why(None, Paper(80)).plain == ""
