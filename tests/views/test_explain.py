"""`keepwarm explain`, as it reads."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwarm.core.events import Usage
from keepwarm.core.prompt import EditNote
from keepwarm.errors import LedgerError
from keepwarm.ledger.records import Place, Record, Verdict
from keepwarm.views.explain import Answer, explain, print_explain
from tests.ledger.samples import RECORDS, a_record, a_recording
from tests.views.screens import Screen, show, write_ledger

BEFORE = a_record(id="bbbb11112222", turn=2)
BROKEN = a_record(
    id="cccc11112222",
    parent=BEFORE.id,
    turn=3,
    usage=Usage(40_931, 20_102, 40, 15_000.0, 700.0),
    verdict=Verdict(
        "partial",
        "client",
        "counted",
        expected=20_102,
        actual=20_102,
        lost=14_000,
        causes=("VOL001", "ROL001"),
        place=Place("/system/0/text", 57, "system[0]", "cch=xxxxx;", "cch=xxxxx;", "VOL001"),
        places=(
            Place("/system/0/text", 57, "system[0]", "cch=xxxxx;", "cch=xxxxx;", "VOL001"),
            Place("/messages/3", 0, "messages[3] (system)", "", "xxxx", "ROL001"),
        ),
        had=34_102,
        lost_ms=10_084.0,
        sentence="The client changed system[0] (VOL001): 14,000 tokens behind it were processed again.",
    ),
    edits=(
        EditNote("VOL001", "/system/0", "exact", 85, 0, "the billing header, lifted out"),
        EditNote("ROL001", "/messages/3", "order", 0, 40, standing=True),
        EditNote("ROL001", "/messages/7", "order", 0, 40, standing=True),
        EditNote("ROL001", "/messages/9", "order", 0, 40),
    ),
    metadata=(("cc_version", "2.1.114.c39"), ("cch", "56445")),
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the zone of the machine: here, one that is known."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(record: Record, previous: Record | None = None) -> dict[str, str]:
    """What stands behind each label."""
    lines = show(explain(record, previous), width=300).splitlines()
    start = max((number for number, line in enumerate(lines) if not line), default=0) + 1
    said: dict[str, str] = {}
    label = ""
    for line in lines[start:]:
        head, _, rest = re.sub(r"^(\S.*?)?\s{2,}", r"\1\0", line).partition("\0")
        label = head or label
        said[label] = f"{said[label]}\n{rest}" if label in said else rest
    return said


def test_the_whole_answer() -> None:
    assert (
        show(explain(BROKEN, BEFORE, (BEFORE, BROKEN)))
        == """\
Request cccc11112222 · 2026-09-21 14:13:20 +0000
claude-cli/2.1.114 · session 3fa81c22-0000-4000-8000-000000000001 · main
conversation · turn 3 · tiny on llama.cpp · 200, done

The client changed system[0] (VOL001): 14,000 tokens behind it were processed
again.

Reused      20,102 of 40,931 prompt tokens (49.1%).
Processed   20,829 tokens.  ███████████████▒▒▒▒▒▒▒▒▒▒░░░░░
Had         34,102 tokens stood in the cache after request bbbb11, turn 2.
Expected    20,102 tokens could have been reused: there the prompt parts from
            that of request bbbb11, turn 2.
Actual      20,102 were reused: all that could be.
Lost        14,000 tokens (10.1 s) had been processed before and were processed
            again.
Verdict     partial (counted: by the token counts that the server reports).
Fault       the client, which changed what it had sent before.
Cause       VOL001 billing-header, in system[0], after 57 characters
            at /system/0/text
  before    cch=xxxxx;
  now       cch=xxxxx;
            ROL001 inline-system, in messages[3] (system)
            at /messages/3
  before    (nothing)
  now       xxxx
            (letters and figures are hidden: `keepwarm serve --record` keeps the
            words)
Changed     VOL001 ×1 (exact): 85 characters out, 0 in; at /system/0
              the billing header, lifted out
            ROL001 ×3 (order): 0 characters out, 120 in; 2 of them stand since
            an earlier request; at /messages/3, /messages/7, /messages/9
Lifted out  cc_version = 2.1.114.c39
            cch = 56445
Sent to     slot 2 of http://127.0.0.1:8080: its own seat since turn 1
Time        first byte 2.0ms, first token 330ms, whole 1.2s, keepwarm's own work
            1.5ms
            the server prefilled for 15.0s (20,829 tokens, 1,389 a second)
            and wrote 40 tokens in 700ms
Bytes       90,000 received, 88,000 sent on, 1,200 answered
What to do  keepwarm rule VOL001
            keepwarm rule ROL001

Its conversation (turns 2 to 3):
  14:13:20 bbbb11 3fa8 main    2 █████░ 20.1k/20.4k 330ms hit
> 14:13:20 cccc11 3fa8 main    3 ███▒▒░ 20.1k/40.9k 330ms partial client VOL001"""
    )


def test_a_server_that_reports_nothing_is_said_to_report_nothing() -> None:
    said = told(a_record(usage=Usage(20_431), verdict=Verdict("unknown", "nobody", "unknown", expected=20_000)))
    assert said["Reused"] == (
        "Not known: the server reported no cached tokens for this request. The prompt had 20,431 tokens."
    )
    assert said["Expected"] == "20,000 tokens could have been reused."
    assert said["Actual"] == "What was reused, the server does not say."
    assert "--enable-prompt-tokens-details" in said["What to do"]
    assert "Processed" not in said
    assert "%" not in "".join(said.values())


def test_nothing_reused_is_nothing_and_not_unknown() -> None:
    said = told(a_record(usage=Usage(20_431, 0), verdict=Verdict("first", "nobody", "counted", 0, 0)))
    assert said["Reused"] == "0 of 20,431 prompt tokens (0%)."
    assert said["Expected"] == "Nothing: it is the first request of its conversation."


def test_a_turn_that_went_well() -> None:
    said = told(a_record(turn=2, parent=BEFORE.id), BEFORE)
    assert said["Expected"] == "20,102 tokens could have been reused."
    assert said["Actual"] == "20,102 were reused: all that could be."
    assert said["Differs"] == "nowhere from request bbbb11, turn 2: it was only added to."
    assert said["Changed"] == "Nothing: keepwarm sent what the client said."
    assert not {"Fault", "Lost", "Cause", "What to do"} & said.keys()


@pytest.mark.parametrize(
    ("blame", "fault", "advice"),
    [
        ("client", "the client, which changed", "keepwarm rule X1"),
        ("gateway", "keepwarm itself", "keepwarm explain 5f0c2a9e61 --json"),
        ("seat", "the seat: ", "--parallel"),
        ("server", "the server, which did not keep", "the server's memory"),
        ("provider", "the provider, whose cache", "Nothing on this machine"),
    ],
)
def test_whose_fault_and_what_to_do(blame: str, fault: str, advice: str) -> None:
    verdict = msgspec.convert(
        {"outcome": "miss", "blame": blame, "grade": "counted", "lost": 9, "causes": ("X1",)}, Verdict
    )
    said = told(a_record(verdict=verdict))
    assert said["Fault"].startswith(fault)
    assert advice in said["What to do"]


def test_a_request_that_failed_before_it_was_sent() -> None:
    said = told(
        a_record(
            status=502, ending="failed", error="unreachable: \x1b[31mrefused", usage=Usage(), verdict=None, seat=None,
            sent_bytes=0,
        )
    )  # fmt: skip
    assert said["Error"] == "unreachable:  [31mrefused"
    assert said["Sent to"] == "nowhere."
    assert not {"Verdict", "Expected", "Changed", "What to do"} & said.keys()


@given(RECORDS, st.none() | RECORDS, st.lists(RECORDS, max_size=3))
@settings(max_examples=100)
def test_any_request_can_be_explained_anywhere(record: Record, previous: Record | None, lineage: list[Record]) -> None:
    for encoding in ("utf-8", "ascii"):
        text = show(explain(record, previous, [*lineage, record], ascii_only=encoding == "ascii"), 60, encoding)
        assert text.startswith("Request ")
        assert "\x1b" not in text


def test_the_conversation_is_shown_around_the_request() -> None:
    turns = [a_record(id=f"r{turn}aaaa", turn=turn) for turn in range(1, 31)]

    def listed(turn: int) -> list[str]:
        lines = show(explain(turns[turn - 1], None, turns)).splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("Its conversation"))
        return [line[2:].split()[4] for line in lines[start + 1 :]]

    assert listed(20) == [str(turn) for turn in range(15, 23)]
    assert listed(1) == ["1", "2", "3"]
    assert listed(30) == [str(turn) for turn in range(23, 31)]


def test_from_the_ledger(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", BEFORE, (BROKEN, a_recording(BROKEN.id, "words")))
    last, named = Screen(), Screen()
    print_explain(path, "last", last.console)
    print_explain(path, "ccc", named.console)
    assert last.text() == named.text() == show(explain(BROKEN, BEFORE, (BEFORE, BROKEN), recorded=True))
    assert "hidden" not in last.text()


def test_json_holds_all_that_the_ledger_knows(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", BEFORE, (BROKEN, a_recording(BROKEN.id, "words")))
    screen = Screen(width=40)
    print_explain(path, "last", screen.console, as_json=True)
    assert msgspec.json.decode(screen.text(), type=Answer) == Answer(BROKEN, BEFORE, True)


def test_a_terminal_that_is_not_utf8(tmp_path: Path) -> None:
    path = write_ledger(tmp_path / "ledger.sqlite", BROKEN)
    screen = Screen(encoding="latin-1")
    print_explain(path, "last", screen.console)
    assert "VOL001 x1 (exact)" in screen.text()
    assert screen.text().isascii()


def test_no_requests_yet(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no requests yet"):
        print_explain(tmp_path / "none.sqlite")
    with pytest.raises(LedgerError, match="no requests yet"):
        print_explain(write_ledger(tmp_path / "empty.sqlite"))
    with pytest.raises(LedgerError, match="no request has an id that begins with 'x'"):
        print_explain(write_ledger(tmp_path / "one.sqlite", BROKEN), "x")
