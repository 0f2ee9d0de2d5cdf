"""The head: server, sums, slots, what runs, alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from keepwarm.ledger.sums import Totals
from keepwarm.views.alerts import Alert
from keepwarm.views.answers import LedgerFacts, Live, ProgressFacts, Running, SlotFacts
from keepwarm.views.top.head import Gateway, head, prefill_bar
from keepwarm.views.top.ink import Paper
from keepwarm.views.top.picture import Picture
from tests.shell.top.stage import LIVE, URL
from tests.views.day import NOON

TOTALS = Totals(requests=34, cached_tokens=750, processed_tokens=250, lost_tokens=80, lost_ms=640.0)
PICTURE = Picture(NOON, totals=TOTALS)


def said(live: Live | None = LIVE, alerts: tuple[Alert, ...] = (), height: int = 24, ledger: str = "") -> list[str]:
    made = head(PICTURE, Gateway(URL, live), alerts, Paper(80), height, ledger)
    assert all(line.cell_len <= 80 for line in made)
    return [line.plain for line in made]


def an_alert(number: int) -> Alert:
    return Alert("hit_rate", NOON, "r", "s", "c", "", 0.5, 0.6, f"alert {number}")


def test_without_a_gateway_the_live_part_is_told_where_to_get() -> None:
    lines = said(None)
    assert lines[0].startswith("keepwarm top  no gateway at http://127.0.0.1:8787")
    assert "keepwarm serve" in lines[1]
    assert lines[2] == "24 h   34 requests, 75.0% reused (750 of 1.0k), 80 again (640ms)"
    assert len(lines) == 3


def test_why_a_gateway_does_not_answer() -> None:
    made = head(PICTURE, Gateway(URL, None, "it answers 401: give its key"), (), Paper(80), 24)
    assert "give its key" in made[1].plain


def test_a_server_that_has_not_answered() -> None:
    assert "has not answered yet" in said(replace(LIVE, upstream=replace(LIVE.upstream, kind="")))[1]


def test_slots_beside_one_another_and_no_more_lines_than_there_is_room_for() -> None:
    assert said()[3] == "slots  0*3fa8 main 27.0k  1 3fa8 sub 12.2k  2 b7d2 main 23.8k  3 free"
    many = tuple(SlotFacts(number, "s", "l", "main", 1_000, False) for number in range(64))
    lines = [line for line in said(replace(LIVE, slots=many)) if line.startswith(("slots", "     "))]
    assert len(lines) == 1
    assert "more" in lines[0]
    shared = (SlotFacts(3, "", "side", "side", 300, False),)
    assert "3 side 300" in said(replace(LIVE, slots=shared))[3]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "prefill ████▒░░░░░░░ 42.0% 17.2k/40.9k tokens, 2.0s"),
        ({"phase": "waiting", "progress": None}, "waits for a slot, 2.0s"),
        ({"progress": None}, "prefill, 2.0s"),
        ({"phase": "generating"}, "answers after a prompt of 40.9k, 2.0s"),
        ({"progress": ProgressFacts(0, 0, 0, 0.0)}, "prefill, 2.0s"),
    ],
)
def test_what_runs(changes: dict[str, object], told: str) -> None:
    running: Running = replace(LIVE.running[0], **changes)
    assert said(replace(LIVE, running=(running,)))[4] == f"now    a7f00c 3fa8 main {told}"


def test_more_runs_than_there_is_room_for() -> None:
    lines = said(replace(LIVE, running=LIVE.running * 5))
    assert sum("prefill" in line for line in lines) == 2
    assert lines[-1].strip() == "and 3 more requests run"


def test_alerts_are_newest_first_and_few() -> None:
    lines = said(alerts=tuple(an_alert(number) for number in range(9)))
    assert [line for line in lines if line.startswith("!")] == ["! 12:00 alert 0", "! 12:00 alert 1"]


def test_another_ledger_is_told() -> None:
    other = replace(LIVE, ledger=LedgerFacts("/there.sqlite", 0, ""))
    assert any("another ledger, /there.sqlite" in line for line in said(other, ledger="/here.sqlite"))
    assert not any("another" in line for line in said(other, ledger="/there.sqlite"))


def test_what_could_not_be_written_is_told() -> None:
    picture = Picture(NOON, totals=replace(TOTALS, dropped=2, drop_reason="disk full"))
    made = head(picture, Gateway(URL), (), Paper(80), 24)
    assert made[-1].plain == "! 2 requests could not be written down: disk full"


@pytest.mark.parametrize(
    ("processed", "cached", "total", "drawn"),
    [(0, 0, 100, "░" * 10), (50, 30, 100, "███▒▒░░░░░"), (100, 100, 100, "█" * 10), (300, 0, 100, "▒" * 10)],
)
def test_the_bar_of_a_prefill(processed: int, cached: int, total: int, drawn: str) -> None:
    assert prefill_bar(processed, cached, total, 10) == drawn
